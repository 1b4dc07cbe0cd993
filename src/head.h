/* A prepared head: the part of a request that is the same in all calls of an endpoint. The head has the method, the URL
 * and the header lines in the form of libcurl. Pure C. The Lua userdata and the transfers that use a head own the head
 * together. The last call of `head_drop` or `head_release` wipes the lines, which can contain a secret, and frees the
 * head. */
#pragma once

#include <curl/curl.h>

#include "credentials.h"
#include "origin.h"

/* The version of the library for the header User-Agent. */
#ifndef WABA_VERSION
#define WABA_VERSION "development"
#endif

struct head {
  /* Never 0. An engine never uses an id for a second head, but a new head can have the address of a freed head. */
  unsigned long long id;
  char *method;
  char *url;
  CURLU *parsed; /* the parsed URL, so that libcurl need not parse the URL for each request */
  char origin[ORIGIN_SIZE];
  struct curl_slist *lines; /* the first line, "Expect:", stops libcurl from sending "Expect: 100-continue" */
  struct curl_slist **last; /* `lines`, or the field `next` of the last line */
  bool plain;               /* true: http instead of https, which is allowed to loopback only */
  bool loopback;            /* true: the host is this machine, so no proxy is used */
  bool is_post;             /* true: the method is POST, PUT or PATCH */
  bool idempotent;
  bool is_http1; /* true: the last response was HTTP/1 */
  bool has_content_type;
  bool has_user_agent;
  bool has_accept_encoding;
  bool dropped;
  size_t uses; /* the number of transfers that use the head */
};

#define HEAD_NO_MEMORY "not enough memory"

/* Creates a head without headers. Returns NULL if the head can't be created, with a static text in `*message`. */
struct head *head_new(const char *method, size_t method_length, const char *url, size_t url_length, bool idempotent,
                      const char **message);

/* Adds a header. Returns NULL, or an error message that does not quote the value. */
const char *head_add(struct head *head, const char *name, size_t name_length, const char *value, size_t value_length);

/* Adds the secret header if the URL of the head has the origin of the secret. Returns the same as `head_add`. */
const char *head_add_credentials(struct head *head, const struct credentials *credentials);

/* Adds the headers that depend on the other headers. Must be called after all other headers were added. Returns the
 * same as `head_add`. */
const char *head_complete(struct head *head);

/* `head_retain` must be called when a transfer begins to use the head, `head_release` when the transfer ends. */
void head_retain(struct head *head);
void head_release(struct head *head);

/* Called when the Lua userdata no longer uses the head. */
void head_drop(struct head *head);
