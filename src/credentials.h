/* A secret header that goes to one origin only, and how Basic writes a user and a password. Pure C. Faults
 * come back as static English text, never quoting a secret. */
#ifndef WABA_CREDENTIALS_H
#define WABA_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

/* The name of the credentials' metatable in Lua's registry. `waba.core` registers it; a userdata with
 * this metatable holds one `struct credentials`, in `waba.curl` as well. */
#define CREDENTIALS_CLASS "waba.Credentials"

/* The same struct in a userdata that `core.ready_head` accepts. Code that holds one can read the secret as
 * bytes, so a transport that writes to its own socket keeps it where no other code can access it. */
#define HEADER_SECRET_CLASS "waba.HeaderSecret"

/* A secret header for one origin. All zeros is the closed state: safe to clear, belongs nowhere.
 * The struct owns `memory`, the other pointers point into it; nothing else owns or frees them. */
struct credentials {
  char *memory;       /* NULL when closed */
  size_t size;        /* of `memory` */
  char *line;         /* "Name: value", as it goes over the wire, NUL-terminated */
  size_t line_length; /* without the NUL */
  size_t name_length; /* of the name at the start of `line` */
  char *value;        /* the secret, in `line`, NUL-terminated */
  size_t value_length;
  char *origin; /* as `origin_read` writes it, NUL-terminated */
};

/* Returned by `credentials_fill` when there is no memory, as this very pointer. */
extern const char credentials_no_memory[];

/* Fills closed credentials. `origin` may be any URL of the origin. Returns NULL, or what is wrong; the
 * credentials are then still closed. */
const char *credentials_fill(struct credentials *credentials, const char *name, size_t name_length,
                             const char *value, size_t value_length, const char *origin,
                             size_t origin_length);

/* Wipes and frees; harmless when repeated. */
void credentials_clear(struct credentials *credentials);

/* Whether the secret may go to this origin (as `origin_read` writes it). Closed credentials belong to
 * none. */
bool credentials_belong_to(const struct credentials *credentials, const char *origin);

/* Returns the first occurrence of the secret in the text, or NULL. */
const char *credentials_find(const struct credentials *credentials, const char *text, size_t length);

/* The size of the value of a Basic `Authorization` header, without NUL. */
size_t credentials_basic_size(size_t user_length, size_t password_length);

/* Writes the value of a Basic `Authorization` header into `out`, without NUL. Returns NULL, or what is
 * wrong (nothing is written then). */
const char *credentials_basic(const char *user, size_t user_length, const char *password,
                              size_t password_length, char *out);

#endif
