/* A secret header that is sent to one origin only, and the value of HTTP Basic. Pure C. Error messages are static and
 * never quote a secret. */
#ifndef WABA_CREDENTIALS_H
#define WABA_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

/* The class of a userdata that contains a `struct credentials`: registered by `waba.core`, accepted by both modules. */
#define CREDENTIALS_CLASS "waba.Credentials"

/* The same struct in a userdata that `core.ready_head` accepts. Code that holds one can read the secret as
 * bytes, so a transport that writes to its own socket keeps it where no other code can access it. */
#define HEADER_SECRET_CLASS "waba.HeaderSecret"

/* All zeros: closed, belongs to no origin. The struct owns `memory`; the other pointers point into it. */
struct credentials {
  char *memory;       /* NULL when closed */
  size_t size;        /* the size of `memory` */
  char *line;         /* "Name: value", NUL-terminated */
  size_t line_length; /* the length of `line`, without the NUL */
  size_t name_length; /* the length of the name at the start of `line` */
  char *value;        /* the secret, in `line`, NUL-terminated */
  size_t value_length;
  char *origin; /* the origin in the form of `origin_read`, NUL-terminated */
};

/* `credentials_fill` returns this pointer when there is not enough memory. */
extern const char credentials_no_memory[];

/* Fills closed credentials. `origin` may be any URL of the origin. Returns NULL, or an error message; the credentials
 * are then still closed. */
const char *credentials_fill(struct credentials *credentials, const char *name, size_t name_length,
                             const char *value, size_t value_length, const char *origin,
                             size_t origin_length);

/* Wipes and frees the memory. Can be repeated. */
void credentials_clear(struct credentials *credentials);

/* Whether the secret may be sent to this origin (as `origin_read` writes it); false for closed credentials. */
bool credentials_belong_to(const struct credentials *credentials, const char *origin);

/* Returns the first occurrence of the secret in the text, or NULL. */
const char *credentials_find(const struct credentials *credentials, const char *text, size_t length);

/* The size of the value of a Basic `Authorization` header, without NUL. */
size_t credentials_basic_size(size_t user_length, size_t password_length);

/* Writes the value of a Basic `Authorization` header into `out`, without NUL. Returns NULL, or an error message and
 * writes nothing. */
const char *credentials_basic(const char *user, size_t user_length, const char *password,
                              size_t password_length, char *out);

#endif
