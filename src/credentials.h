/* A secret header that is sent to one origin only, and the value of HTTP Basic authentication. Pure C. Error messages
 * are static and never quote a secret. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The class of a userdata with a `struct credentials`. `waba.core` registers the class; `waba.core` and
 * `waba.curl` accept the userdata. */
#define CREDENTIALS_CLASS "waba.Credentials"

/* The class of a userdata with a `struct credentials` for `core.ready_head`, whose result contains the secret as bytes.
 * A transport that writes to its own socket must store the userdata where other code can't access it. */
#define HEADER_SECRET_CLASS "waba.HeaderSecret"

/* A struct of zeros is closed and belongs to no origin. The struct owns `memory`; the other pointers point into that
 * memory. */
struct credentials {
  char *memory;       /* NULL when closed */
  size_t size;        /* the size of `memory` */
  char *line;         /* "Name: value", NUL-terminated */
  size_t line_length; /* the length of `line` without the NUL */
  size_t name_length; /* the length of the header name at the start of `line` */
  char *value;        /* the secret inside `line`; it ends with a NUL */
  size_t value_length;
  char *origin; /* the origin as `origin_read` writes origins; it ends with a NUL */
};

/* `credentials_fill` returns this pointer if there is not enough memory. */
extern const char credentials_no_memory[];

/* Fills closed credentials. `origin` may be any URL of the origin. Returns NULL, or an error message; after an error
 * the credentials are still closed. */
const char *credentials_fill(struct credentials *credentials, const char *name, size_t name_length, const char *value,
                             size_t value_length, const char *origin, size_t origin_length);

/* Wipes and frees the memory. Can be repeated. */
void credentials_clear(struct credentials *credentials);

/* Returns whether the secret may be sent to this origin; false for closed credentials. `origin` has the form that
 * `origin_read` writes. */
bool credentials_belong_to(const struct credentials *credentials, const char *origin);

/* Returns the first occurrence of the secret in the text, or NULL. The credentials must not be closed. */
const char *credentials_find(const struct credentials *credentials, const char *text, size_t length);
