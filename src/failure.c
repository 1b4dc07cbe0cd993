/* Describes failed transfers: see transfer.h. */
#include "transfer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "system.h"

/* The kinds of errors, and the codes of libcurl for each. Other codes have the kind "network". */
static const struct {
  const char *kind;
  CURLcode codes[15]; /* ends with CURLE_OK */
} kinds[] = {
    {"invalid",
     {CURLE_UNSUPPORTED_PROTOCOL, CURLE_URL_MALFORMAT, CURLE_NOT_BUILT_IN, CURLE_UNKNOWN_OPTION,
      CURLE_BAD_FUNCTION_ARGUMENT}},
    {"timeout", {CURLE_OPERATION_TIMEDOUT}},
    {"protocol", {CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING}},
    {"tls",
     {CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED,
      CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_USE_SSL_FAILED, CURLE_SSL_ENGINE_INITFAILED,
      CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CRL_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_PINNEDPUBKEYNOTMATCH,
      CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CLIENTCERT}},
};

/* The results of `failure_describe`. */
struct description {
  struct failure *failure;
  char *message;
};

/* Always returns true. */
static bool set(struct description to, const char *kind, const char *code, const char *format, ...) {
  va_list arguments;
  to.failure->kind = kind;
  to.failure->code = code;
  va_start(arguments, format);
  vsnprintf(to.message, FAILURE_MESSAGE_SIZE, format, arguments);
  va_end(arguments);
  return true;
}

/* Returns whether the peer closed the connection during the handshake without a TLS alert. */
static bool was_closed(const struct transfer *transfer) {
  return strstr(transfer->error, "SSL_ERROR_SYSCALL") != NULL || strstr(transfer->error, "Connection reset") != NULL ||
         strstr(transfer->error, "Broken pipe") != NULL || strstr(transfer->error, "unexpected eof") != NULL;
}

static const char *kind_of(const struct transfer *transfer) {
  /* libcurl returns CURLE_UNSUPPORTED_PROTOCOL for a response that is not HTTP. */
  if (transfer->code == CURLE_UNSUPPORTED_PROTOCOL && transfer->attempts > 0) return "protocol";
  if (transfer->code == CURLE_SSL_CONNECT_ERROR && was_closed(transfer)) return "network";
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    for (const CURLcode *code = kinds[i].codes; *code != CURLE_OK; code++) {
      if (*code == transfer->code) return kinds[i].kind;
    }
  }
  return "network";
}

static bool describe_end(struct description to, enum transfer_end end) {
  static const char *const messages[] = {
      [END_CANCELLED] = "the transfer was cancelled",
      [END_CLOSED] = "the engine was closed while the transfer was in flight",
      [END_FORKED] = "the transfer belongs to the parent process, which may complete it",
  };
  if (end == END_BY_CURL) return false;
  if (end != END_PENDING_TOO_LONG) return set(to, "cancelled", "cancelled", "%s", messages[end]);
  to.failure->curl_code = CURLE_OPERATION_TIMEDOUT;
  return set(to, "timeout", NULL, "the timeout expired before a connection was free");
}

static bool describe_source(struct description to, const struct source *source) {
  char text[SYSTEM_TEXT_SIZE];
  switch (source->error) {
  case SOURCE_OK: return false;
  case SOURCE_SHRUNK: return set(to, "invalid", "body", "the file %s became shorter while it was sent", source->path);
  case SOURCE_UNREADABLE:
    return set(to, "invalid", "body", "the file %s cannot be read: %s", source->path,
               system_describe(source->system_error, text));
  case SOURCE_SHORT:
  case SOURCE_LONG:
    return set(to, "invalid", "body", "the reader gave %s bytes than the %lld declared",
               source->error == SOURCE_SHORT ? "fewer" : "more", (long long)source->size);
  }
  return false;
}

static bool describe_sink(struct description to, const struct sink *sink) {
  char text[SYSTEM_TEXT_SIZE];
  switch (sink->error) {
  case SINK_OK: return false;
  case SINK_TOO_LARGE:
    return set(to, "protocol", "too_large", "the response is larger than the %llu bytes allowed",
               sink_diverts(sink) ? (unsigned long long)sink->max_size : (unsigned long long)sink->max_body);
  case SINK_UNWRITABLE:
    return set(to, "invalid", "file", "the file %s cannot be written: %s", sink->path,
               system_describe(sink->system_error, text));
  case SINK_NO_MEMORY: return set(to, "protocol", "memory", "not enough memory for the response");
  }
  return false;
}

/* Returns whether the transfer ended because the server refused the stream of the last attempt. Returns false if
 * libcurl then failed to open a new connection, so that the failure of the new connection is reported. */
static bool was_refused(const struct transfer *transfer) {
  if (!transfer->stream.refused) return false;
  return transfer->code == CURLE_OK ||
         (transfer->code > CURLE_COULDNT_CONNECT && strcmp(kind_of(transfer), "network") == 0);
}

/* Describes a limit of this machine that was reached before a connection was established. */
static bool describe_limit(struct description to, const struct transfer *transfer) {
  char text[SYSTEM_TEXT_SIZE];
  if (transfer->attempts > 0) return false;
  const CURLcode code = transfer->code;
  int error = code == CURLE_COULDNT_CONNECT ? transfer->socket_error : 0;
  /* libcurl also reports these codes if a file or a socket could not be opened. */
  if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_SSL_CACERT_BADFILE ||
      code == CURLE_FAILED_INIT) {
    error = system_limit_of_files();
  }
  /* EAFNOSUPPORT is no limit. If the machine has no IPv6, libcurl tries the IPv4 addresses, and the reverse. */
  if (error == 0 || error == EAFNOSUPPORT) return false;
  return set(to, "network", "limit", "no connection can be opened: %s", system_describe(error, text));
}

#define REFUSED_CREDENTIALS "the proxy refused the user or password of its URL, or requires them and the URL has none"

static bool describe_proxy(struct description to, const struct transfer *transfer) {
  const char *format = NULL;
  long status = 0, reason = CURLPX_OK;
  if (transfer->easy == NULL || transfer->attempts > 0) return false;
  curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &status);
  curl_easy_getinfo(transfer->easy, CURLINFO_PROXY_ERROR, &reason);
  if (strstr(transfer->error, "Unsupported proxy") != NULL) {
    /* The error text of libcurl is not used, because it contains the URL of the proxy with the password. */
    format = strstr(transfer->error, "built without") != NULL
                 ? "this libcurl is built without support for proxies over https"
                 : "the URL of the proxy in the environment is not valid: expected http://host:port";
  } else if (status == 407) {
    format = REFUSED_CREDENTIALS " (HTTP 407)";
  } else if (status >= 400 && status < 500 && status != 408 && status != 425 && status != 429) {
    /* After a response with such a status, a repeated request would fail too. */
    format = "the proxy refused to connect to the gateway (HTTP %ld)";
  } else if (transfer->code == CURLE_PROXY && (reason == CURLPX_USER_REJECTED || reason == CURLPX_NO_AUTH)) {
    format = REFUSED_CREDENTIALS;
  }
  if (format == NULL) return false;
  to.failure->path = "proxy";
  return set(to, "invalid", "proxy", format, status);
}

void failure_describe(struct failure *failure, char message[FAILURE_MESSAGE_SIZE], const struct transfer *transfer) {
  struct description to = {failure, message};
  failure->path = NULL;
  failure->curl_code = transfer->code;
  if (describe_end(to, transfer->end) || describe_source(to, &transfer->source) || describe_sink(to, &transfer->sink) ||
      describe_proxy(to, transfer) || describe_limit(to, transfer)) {
    return;
  }
  if (was_refused(transfer)) {
    set(to, "network", NULL,
        "the server refused the request's HTTP/2 stream, or closed the connection, before it processed the request");
  } else if (transfer->code == CURLE_OK) {
    set(to, "protocol", "no_status", "the response has no status line");
  } else if (transfer->code == CURLE_SEND_FAIL_REWIND) {
    set(to, "network", NULL,
        "the connection was lost before a response was received; the request was not sent again, "
        "since it could arrive twice");
  } else {
    set(to, kind_of(transfer), NULL, "%s",
        transfer->error[0] != '\0' ? transfer->error : curl_easy_strerror(transfer->code));
  }
}
