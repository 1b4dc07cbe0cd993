/* Prepares the heads of requests: see head.h. */
#include "head.h"

#include <stdlib.h>

#include "text.h"

/* Headers that a program must not set, because their values depend on the request and the connection. If a program set
 * these headers, two servers could find different ends of the request, or the request could be sent to a host other
 * than the host of its URL. */
static const char *const reserved[] = {
    "content-length", "transfer-encoding", "expect",           "connection",         "host", "te", "trailer",
    "upgrade",        "keep-alive",        "proxy-connection", "proxy-authorization"};

static void head_free(struct head *head) {
  struct curl_slist *line = head->lines;
  while (line != NULL) {
    struct curl_slist *next = line->next;
    text_wipe(line->data, strlen(line->data));
    free(line->data);
    free(line);
    line = next;
  }
  curl_url_cleanup(head->parsed);
  free(head->method);
  free(head->url);
  free(head);
}

/* Adds a line to the list, and takes ownership of `data`, even if the function fails. `data` may be NULL. The nodes are
 * not created by curl_slist_append, because curl_slist_append would create a copy of a secret that is never wiped. */
static const char *append(struct head *head, char *data) {
  struct curl_slist *line = data == NULL ? NULL : malloc(sizeof *line);
  if (line == NULL) {
    if (data != NULL) text_wipe(data, strlen(data));
    free(data);
    return HEAD_NO_MEMORY;
  }
  line->data = data;
  line->next = NULL;
  *head->last = line;
  head->last = &line->next;
  return NULL;
}

static const char *append_text(struct head *head, const char *text) {
  return append(head, text_copy(text, strlen(text)));
}

struct head *head_new(const char *method, size_t method_length, const char *url, size_t url_length, bool idempotent,
                      const char **message) {
  char origin[ORIGIN_SIZE];
  *message = text_method_error(method, method_length);
  if (*message == NULL) *message = origin_read(url, url_length, origin);
  if (*message != NULL) return NULL;
  struct head *head = calloc(1, sizeof *head);
  *message = HEAD_NO_MEMORY;
  if (head == NULL) return NULL;
  head->last = &head->lines;
  head->method = text_copy(method, method_length);
  head->url = text_copy(url, url_length);
  head->parsed = curl_url();
  if (head->method != NULL && head->url != NULL && head->parsed != NULL) {
    const CURLUcode code = curl_url_set(head->parsed, CURLUPART_URL, head->url, 0);
    if (code == CURLUE_OK) {
      *message = append_text(head, "Expect:");
    } else if (code != CURLUE_OUT_OF_MEMORY) {
      *message = "the URL is malformed: expected one such as https://example.com/path";
    }
  }
  if (*message != NULL) {
    head_free(head);
    return NULL;
  }
  memcpy(head->origin, origin, sizeof origin);
  head->plain = strncmp(origin, "http:", 5) == 0;
  head->loopback = origin_is_loopback(origin);
  method = head->method;
  head->is_post = strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
  head->idempotent = idempotent;
  return head;
}

const char *head_add(struct head *head, const char *name, size_t name_length, const char *value, size_t value_length) {
  const char *message = text_header_error(name, name_length, value, value_length);
  if (message != NULL) return message;
  for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
    if (text_is(name, name_length, reserved[i])) return "is set by the transport: leave it out";
  }
  if (text_is(name, name_length, "content-type")) head->has_content_type = true;
  if (text_is(name, name_length, "user-agent")) head->has_user_agent = true;
  if (text_is(name, name_length, "accept-encoding")) head->has_accept_encoding = true;
  char *line = malloc(name_length + value_length + 3);
  if (line == NULL) return HEAD_NO_MEMORY;
  memcpy(line, name, name_length);
  if (value_length == 0) {
    memcpy(line + name_length, ";", 2); /* libcurl reads "name;" as a header with an empty value */
  } else {
    memcpy(line + name_length, ": ", 2);
    memcpy(line + name_length + 2, value, value_length);
    line[name_length + 2 + value_length] = '\0';
  }
  return append(head, line);
}

const char *head_add_credentials(struct head *head, const struct credentials *credentials) {
  if (!credentials_belong_to(credentials, head->origin)) return NULL;
  return append_text(head, credentials->line);
}

const char *head_complete(struct head *head) {
  /* The line of a header without a value prevents libcurl from adding the header. Responses to POST, PUT and PATCH are
   * short, so their requests do not allow compression. */
  const char *message = head->has_content_type ? NULL : append_text(head, "Content-Type:");
  if (message == NULL && !head->has_user_agent) message = append_text(head, "User-Agent: waba/" WABA_VERSION);
  if (message != NULL || !head->is_post || head->has_accept_encoding) return message;
  return append_text(head, "Accept-Encoding:");
}

void head_retain(struct head *head) { head->uses++; }

void head_release(struct head *head) {
  head->uses--;
  if (head->dropped && head->uses == 0) head_free(head);
}

void head_drop(struct head *head) {
  head->dropped = true;
  if (head->uses == 0) head_free(head);
}
