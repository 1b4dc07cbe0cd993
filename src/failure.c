/* From libcurl's codes and our own ends to the kinds of the transport contract: see failure.h. */
#include "failure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "limit.h"

static const struct {
  CURLcode code;
  const char *kind;
} kinds[] = {
    {CURLE_UNSUPPORTED_PROTOCOL, "invalid"},
    {CURLE_URL_MALFORMAT, "invalid"},
    {CURLE_NOT_BUILT_IN, "invalid"},
    {CURLE_UNKNOWN_OPTION, "invalid"},
    {CURLE_BAD_FUNCTION_ARGUMENT, "invalid"},
    {CURLE_OPERATION_TIMEDOUT, "timeout"},
    {CURLE_WEIRD_SERVER_REPLY, "protocol"},
    {CURLE_BAD_CONTENT_ENCODING, "protocol"},
    {CURLE_SSL_CONNECT_ERROR, "tls"},
    {CURLE_PEER_FAILED_VERIFICATION, "tls"},
    {CURLE_SSL_ENGINE_NOTFOUND, "tls"},
    {CURLE_SSL_ENGINE_SETFAILED, "tls"},
    {CURLE_SSL_CERTPROBLEM, "tls"},
    {CURLE_SSL_CIPHER, "tls"},
    {CURLE_USE_SSL_FAILED, "tls"},
    {CURLE_SSL_ENGINE_INITFAILED, "tls"},
    {CURLE_SSL_CACERT_BADFILE, "tls"},
    {CURLE_SSL_CRL_BADFILE, "tls"},
    {CURLE_SSL_ISSUER_ERROR, "tls"},
    {CURLE_SSL_PINNEDPUBKEYNOTMATCH, "tls"},
    {CURLE_SSL_INVALIDCERTSTATUS, "tls"},
    {CURLE_SSL_CLIENTCERT, "tls"},
};

/* A handshake that the peer breaks off without a word of TLS is a broken connection. */
static bool was_broken_off(const struct transfer *transfer) {
  return strstr(transfer->error, "SSL_ERROR_SYSCALL") != NULL ||
         strstr(transfer->error, "Connection reset") != NULL ||
         strstr(transfer->error, "Broken pipe") != NULL ||
         strstr(transfer->error, "unexpected eof") != NULL;
}

static const char *kind_of(const struct transfer *transfer) {
  size_t i;
  /* libcurl's word for an answer that is not HTTP. */
  if (transfer->code == CURLE_UNSUPPORTED_PROTOCOL && transfer->attempts > 0) return "protocol";
  if (transfer->code == CURLE_SSL_CONNECT_ERROR && was_broken_off(transfer)) return "network";
  for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    if (kinds[i].code == transfer->code) return kinds[i].kind;
  }
  return "network";
}

static void fill(struct failure *failure, const char *kind, const char *word, const char *message) {
  failure->kind = kind;
  failure->word = word;
  snprintf(failure->message, sizeof failure->message, "%s", message);
}

static bool describe_end(struct failure *failure, enum transfer_end end) {
  switch (end) {
  case END_BY_CURL: return false;
  case END_CANCELLED:
    fill(failure, "cancelled", "cancelled", "the transfer was cancelled");
    return true;
  case END_CLOSED:
    fill(failure, "cancelled", "cancelled",
         "the engine was closed while the transfer was in flight");
    return true;
  case END_FORKED:
    fill(failure, "cancelled", "cancelled",
         "the transfer belongs to the parent process, which may complete it");
    return true;
  case END_PENDING_TOO_LONG:
    fill(failure, "timeout", NULL, "no connection became free in time");
    failure->number = (int)CURLE_OPERATION_TIMEDOUT;
    return true;
  }
  return false;
}

static bool describe_source(struct failure *failure, const struct source *source) {
  char text[LIMIT_TEXT_SIZE];
  const char *path = source->path == NULL ? "" : source->path;
  switch (source->fault) {
  case SOURCE_FINE: return false;
  case SOURCE_SHRUNK:
    fill(failure, "invalid", "body", "");
    snprintf(failure->message, sizeof failure->message,
             "the file %s became shorter while it was sent", path);
    return true;
  case SOURCE_UNREADABLE:
    fill(failure, "invalid", "body", "");
    snprintf(failure->message, sizeof failure->message, "the file %s cannot be read: %s", path,
             limit_describe(source->error, text));
    return true;
  case SOURCE_SHORT:
  case SOURCE_LONG:
    fill(failure, "invalid", "body", "");
    snprintf(failure->message, sizeof failure->message,
             "the reader gave %s bytes than the %lld declared",
             source->fault == SOURCE_SHORT ? "fewer" : "more", (long long)source->size);
    return true;
  }
  return false;
}

static bool describe_sink(struct failure *failure, const struct sink *sink) {
  char text[LIMIT_TEXT_SIZE];
  switch (sink->fault) {
  case SINK_FINE: return false;
  case SINK_TOO_LARGE:
    fill(failure, "protocol", "too_large", "");
    snprintf(failure->message, sizeof failure->message,
             "the response is larger than the %llu bytes allowed",
             sink_diverts(sink) ? (unsigned long long)sink->max_size
                                : (unsigned long long)sink->max_body);
    return true;
  case SINK_UNWRITABLE:
    fill(failure, "invalid", "file", "");
    snprintf(failure->message, sizeof failure->message, "the file %s cannot be written: %s",
             sink->path, limit_describe(sink->error, text));
    return true;
  case SINK_NO_MEMORY:
    fill(failure, "protocol", "memory", "not enough memory for the response");
    return true;
  }
  return false;
}

/* Whether the transfer ended because the stream of its last attempt was refused. A failure to open the next
 * connection is reported as such. */
static bool was_refused(const struct transfer *transfer) {
  if (!transfer->stream.refused) return false;
  return transfer->code == CURLE_OK ||
         (transfer->code > CURLE_COULDNT_CONNECT && strcmp(kind_of(transfer), "network") == 0);
}

/* Whether libcurl returns this code when it can't open a file or a socket. It does not return the cause. */
static bool may_lack_files(CURLcode code) {
  return code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY ||
         code == CURLE_SSL_CACERT_BADFILE || code == CURLE_FAILED_INIT;
}

/* Describes a limit of this machine that was reached before a connection was established. */
static bool describe_limit(struct failure *failure, const struct transfer *transfer) {
  char text[LIMIT_TEXT_SIZE];
  int error = 0;
  if (transfer->attempts > 0) return false;
  if (transfer->code == CURLE_COULDNT_CONNECT) error = transfer->socket_error;
  /* A machine without IPv4 or IPv6 is not a limit: libcurl tries the other one too. */
  if (error == EAFNOSUPPORT) error = 0;
  if (may_lack_files(transfer->code)) error = limit_of_files();
  if (error == 0) return false;
  fill(failure, "network", "limit", "");
  snprintf(failure->message, sizeof failure->message, "no connection can be opened: %s",
           limit_describe(error, text));
  return true;
}

static void fill_proxy(struct failure *failure, const char *message) {
  fill(failure, "invalid", "proxy", message);
  failure->path = "proxy";
}

/* Whether this status of a proxy is a refusal that it would repeat for the same request. */
static bool is_refusal(long status) {
  return status >= 400 && status < 500 && status != 408 && status != 425 && status != 429;
}

static bool describe_proxy(struct failure *failure, const struct transfer *transfer) {
  static const char credentials[] =
      "the proxy refused the user or password of its URL, or requires them and the URL has none";
  long status = 0, reason = CURLPX_OK;
  if (transfer->easy == NULL || transfer->attempts > 0) return false;
  /* The message of libcurl contains the URL with its password. */
  if (strstr(transfer->error, "Unsupported proxy") != NULL) {
    fill_proxy(failure, strstr(transfer->error, "built without") != NULL
                            ? "this libcurl is built without support for proxies over https"
                            : "the proxy that the environment names has no valid URL");
    return true;
  }
  curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &status);
  curl_easy_getinfo(transfer->easy, CURLINFO_PROXY_ERROR, &reason);
  if (status == 407) {
    fill_proxy(failure, "");
    snprintf(failure->message, sizeof failure->message, "%s (HTTP 407)", credentials);
  } else if (is_refusal(status)) {
    fill_proxy(failure, "");
    snprintf(failure->message, sizeof failure->message,
             "the proxy refused to connect to the gateway (HTTP %ld)", status);
  } else if (transfer->code == CURLE_PROXY &&
             (reason == CURLPX_USER_REJECTED || reason == CURLPX_NO_AUTH)) {
    fill_proxy(failure, credentials);
  }
  return failure->path != NULL;
}

void failure_describe(struct failure *failure, const struct transfer *transfer) {
  failure->path = NULL;
  if (describe_end(failure, transfer->end) || describe_source(failure, &transfer->source) ||
      describe_sink(failure, &transfer->sink)) {
    return;
  }
  if (describe_proxy(failure, transfer) || describe_limit(failure, transfer)) return;
  failure->number = (int)transfer->code;
  if (was_refused(transfer)) {
    fill(failure, "network", NULL,
         "the server refused the request's HTTP/2 stream, or closed the connection, before it "
         "processed the request");
  } else if (transfer->code == CURLE_OK) {
    fill(failure, "protocol", "no_status", "the answer has no status line");
  } else if (transfer->code == CURLE_SEND_FAIL_REWIND) {
    fill(failure, "network", NULL,
         "the connection was lost before an answer came; the request was not sent again, since it "
         "could arrive twice");
  } else {
    fill(failure, kind_of(transfer), NULL,
         transfer->error[0] != '\0' ? transfer->error : curl_easy_strerror(transfer->code));
  }
}

const char *failure_sent(enum transfer_sent sent) {
  return sent == SENT_NO ? "no" : sent == SENT_YES ? "yes" : "maybe";
}
