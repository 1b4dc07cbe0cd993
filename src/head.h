/* The fixed part of a request, made ready for libcurl once: method, URL, list of header lines. Pure C.
 * A head belongs to its maker (the Lua userdata) and to the transfers that run with it: `head_drop` and
 * `head_return` free it when it is neither held nor in use, and wipe the lines, which hold a secret. */
#ifndef WABA_HEAD_H
#define WABA_HEAD_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "credentials.h"
#include "origin.h"

struct head {
  unsigned long long id; /* never 0, unique in its engine; the address of a freed head may be used again */
  char *method;
  char *url;
  CURLU *parsed; /* the same, which spares libcurl to parse it for each request */
  char origin[ORIGIN_SIZE];
  struct curl_slist *lines;
  struct curl_slist **last; /* where the next line goes */
  bool plain;               /* http, to loopback */
  bool loopback;            /* never through a proxy */
  bool idempotent;
  bool is_http1;  /* so was the last response */
  bool typed;     /* has a Content-Type */
  bool has_agent; /* has a User-Agent */
  bool has_accept_encoding;
  bool dropped;
  size_t uses; /* transfers not yet returned */
};

#define HEAD_NO_MEMORY "not enough memory"

/* Makes a head without headers. NULL, with `*fault` a static text, when it can't be sent. */
struct head *head_new(const char *method, size_t method_length, const char *url, size_t url_length,
                      bool idempotent, const char **fault);

/* Adds one header. Returns NULL, or what is wrong, without the value. */
const char *head_add(struct head *head, const char *name, size_t name_length, const char *value,
                     size_t value_length);

/* Adds the secret header if the head's URL is of its origin; else nothing. Returns as `head_add`. */
const char *head_add_credentials(struct head *head, const struct credentials *credentials);

/* Adds what is to be said after all other headers. Returns as `head_add`. */
const char *head_complete(struct head *head);

/* One transfer more, one less. */
void head_take(struct head *head);
void head_return(struct head *head);

/* The maker lets go. */
void head_drop(struct head *head);

#endif
