/* Configures an easy handle for a request: see transfer.h. */
#include <stdlib.h>

#include "text.h"
#include "transfer.h"

/* The largest body that is passed in POSTFIELDS. libcurl sends such a body together with the head in one write. A
 * larger body is passed through the read function, which counts the bytes. */
#define FIELDS_MAX ((curl_off_t)60 * 1024)

/* POST, PUT and PATCH without a body have the header "Content-Length: 0". */
static enum transfer_mode mode_of(const struct transfer *transfer, const struct head *head) {
  const struct source *source = &transfer->source;
  if (source->kind == SOURCE_FILE || source->kind == SOURCE_FED) return MODE_READ;
  if (source->size > FIELDS_MAX) return MODE_READ;
  return source->size > 0 || head->is_post ? MODE_FIELDS : MODE_BODYLESS;
}

/* libcurl treats some methods specially, but not if CURLOPT_CUSTOMREQUEST contains the method. Therefore
 * CURLOPT_CUSTOMREQUEST stays unset if the method is libcurl's default in this mode. */
static bool set_method(CURL *easy, const struct head *head, enum transfer_mode mode) {
  const bool is_head = mode == MODE_BODYLESS && strcmp(head->method, "HEAD") == 0;
  const char *own = is_head ? "HEAD" : mode == MODE_READ ? "PUT" : mode == MODE_FIELDS ? "POST" : "GET";
  const CURLoption option = mode == MODE_READ ? CURLOPT_UPLOAD : mode == MODE_FIELDS ? CURLOPT_POST : CURLOPT_HTTPGET;
  const char *custom = strcmp(head->method, own) == 0 ? NULL : head->method;
  return curl_easy_setopt(easy, CURLOPT_NOBODY, is_head ? 1L : 0L) == CURLE_OK &&
         (is_head || curl_easy_setopt(easy, option, 1L) == CURLE_OK) &&
         curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, custom) == CURLE_OK;
}

void transfer_unset_head(struct transfer *transfer) {
  if (transfer->easy != NULL) {
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(transfer->easy, CURLOPT_CURLU, NULL);
  }
  transfer->configured = 0;
}

/* libcurl sends a request again in two cases: when a reused connection ends without a response, and when the server
 * refuses the stream. This function disables the first case, because the program can't find out afterwards which case
 * happened. libcurl has no option that disables the first case. The request is marked as RTSP RECEIVE, because libcurl
 * never sends an RTSP RECEIVE request again after the end of a reused connection. */
static bool forbid_retry(CURL *easy, bool forbidden) {
  long request = forbidden ? CURL_RTSPREQ_RECEIVE : CURL_RTSPREQ_OPTIONS;
  CURLcode code = curl_easy_setopt(easy, CURLOPT_RTSP_REQUEST, request);
  return code == CURLE_OK || code == CURLE_UNKNOWN_OPTION || code == CURLE_NOT_BUILT_IN;
}

static bool set_head(struct transfer *transfer, const struct head *head, enum transfer_mode mode) {
  CURL *easy = transfer->easy;
  transfer->configured = 0;
  if (!set_method(easy, head, mode)) return false;
  /* libcurl uses the parsed URL for the request, and the text of the URL in its reports. */
  if (curl_easy_setopt(easy, CURLOPT_URL, head->url) != CURLE_OK ||
      curl_easy_setopt(easy, CURLOPT_CURLU, head->parsed) != CURLE_OK ||
      curl_easy_setopt(easy, CURLOPT_NOPROXY, head->loopback ? "*" : NULL) != CURLE_OK ||
      curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, head->plain ? "http" : "https") != CURLE_OK ||
      !forbid_retry(easy, !head->idempotent) ||
      /* Lets the request wait for a new connection that may support HTTP/2. With TLS the handshake shows whether the
       * connection supports HTTP/2; without TLS only the first response shows this. */
      curl_easy_setopt(easy, CURLOPT_PIPEWAIT, head->plain ? 0L : 1L) != CURLE_OK) {
    transfer_unset_head(transfer);
    return false;
  }
  transfer->configured = head->id;
  transfer->mode = mode;
  return true;
}

/* Sets the header lines: the secret header of this request, and then the lines of the head. The first line of the head
 * is "Expect:", which has an effect in MODE_READ only. In other modes the line "Expect:" is left out, because libcurl
 * compares each line with many names. The transfer has its own copy of the secret, because the credentials can be
 * collected before the transfer ends. */
static bool set_lines(struct transfer *transfer, const struct head *head, const struct credentials *credentials) {
  struct curl_slist *lines = transfer->mode == MODE_READ ? head->lines : head->lines->next;
  if (credentials != NULL && credentials_belong_to(credentials, head->origin)) {
    transfer->secret.data = text_copy(credentials->line, credentials->line_length);
    if (transfer->secret.data == NULL) return false;
    transfer->secret.next = lines;
    lines = &transfer->secret;
  }
  return curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, lines) == CURLE_OK;
}

void transfer_unset_secret(struct transfer *transfer) {
  if (transfer->secret.data == NULL) return;
  if (transfer->easy != NULL) curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, NULL);
  text_wipe(transfer->secret.data, strlen(transfer->secret.data));
  free(transfer->secret.data);
  transfer->secret.data = NULL;
}

bool transfer_set_request(struct transfer *transfer, const struct head *head, const struct transfer_options *options) {
  CURL *easy = transfer->easy;
  const struct source *source = &transfer->source;
  const enum transfer_mode mode = mode_of(transfer, head);
  if ((transfer->configured != head->id || transfer->mode != mode) && !set_head(transfer, head, mode)) return false;
  if (!set_lines(transfer, head, options->credentials)) return false;
  if (transfer->timeout != options->timeout) {
    if (curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, options->timeout) != CURLE_OK) return false;
    transfer->timeout = options->timeout;
  }
  if (transfer->connect_timeout != options->connect_timeout) {
    if (curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, options->connect_timeout) != CURLE_OK) return false;
    transfer->connect_timeout = options->connect_timeout;
  }
  if (mode == MODE_READ) return curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, source->size) == CURLE_OK;
  if (mode == MODE_BODYLESS) return true;
  return curl_easy_setopt(easy, CURLOPT_POSTFIELDS, source->bytes == NULL ? "" : source->bytes) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, source->size) == CURLE_OK;
}
