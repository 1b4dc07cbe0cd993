/* What an HTTP request is made of, whoever sends it: origin, credentials, Basic, Retry-After, the head.
 * Pure C without state. Faults come back as static English text, never quoting a secret. */
#ifndef WABA_REQUEST_H
#define WABA_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

/* The name of the credentials' metatable in Lua's registry. `waba.core` registers it; a userdata with
 * this metatable holds one `struct credentials`, in `waba.curl` as well. */
#define CREDENTIALS_CLASS "waba.Credentials"

/* Room for any origin that `request_origin` accepts, with its NUL. */
#define REQUEST_ORIGIN_SIZE 288

/* The longest time a Retry-After is taken for, in seconds. */
#define REQUEST_RETRY_AFTER_MAX 3600

/* Writes the origin of an absolute URL into `origin`: lower case, the default port left out, IP
 * addresses in their usual form. Returns NULL, or why the URL can't be used: other than https
 * (http to loopback only), user information, no host, a bad port, a byte no URL may have. What it
 * accepts is read in the same way by libcurl. */
const char *request_origin(const char *url, size_t length, char origin[REQUEST_ORIGIN_SIZE]);

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
  char *origin; /* as `request_origin` writes it, NUL-terminated */
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

/* Whether the secret may go to this origin (as `request_origin` writes it). Closed credentials belong to
 * none. */
bool credentials_belong_to(const struct credentials *credentials, const char *origin);

/* The size of the value of a Basic `Authorization` header, without NUL. */
size_t request_basic_size(size_t user_length, size_t password_length);

/* Writes the value of a Basic `Authorization` header into `out`, without NUL. Returns NULL, or what is
 * wrong (nothing is written then). */
const char *request_basic(const char *user, size_t user_length, const char *password,
                          size_t password_length, char *out);

/* Reads a Retry-After value, seconds or an HTTP date in any of its three forms, as seconds from `now`
 * (Unix time), between 0 and REQUEST_RETRY_AFTER_MAX. False if it is neither. */
bool request_retry_after(const char *value, size_t length, long long now, long *seconds);

/* NULL if `method` may be a request's method, else what is wrong. */
const char *request_method_fault(const char *method, size_t length);

/* NULL if `target` may stand in an HTTP/1.1 request line (path and query), else what is wrong. */
const char *request_target_fault(const char *target, size_t length);

#endif
