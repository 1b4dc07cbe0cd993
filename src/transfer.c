/* Runs requests on easy handles: see transfer.h. */
#include "transfer.h"

#include <stdlib.h>
#include <string.h>

const char transfer_no_file[] = "the file cannot be written";

/* libcurl reports the ids and refusals of HTTP/2 streams only if CURLOPT_VERBOSE is set. Before the connection is
 * established, CURLOPT_VERBOSE is not set, because libcurl would also report each TLS record. While libcurl sends the
 * head, CURLOPT_VERBOSE is set only if the id of the stream is unknown, because libcurl would also report each line of
 * the head. Reports of the lines of the head would take a seventh of the time of a request. */
static void set_verbose(struct transfer *transfer, bool verbose) {
  if (transfer->verbose == verbose) return;
  transfer->verbose = verbose;
  curl_easy_setopt(transfer->easy, CURLOPT_VERBOSE, verbose ? 1L : 0L);
}

static void set_opening(struct transfer *transfer, bool opening) {
  if (transfer->opening == opening) return;
  transfer->opening = opening;
  curl_easy_setopt(transfer->easy, CURLOPT_NOPROGRESS, opening ? 0L : 1L);
}

/* libcurl calls its progress function after it has sent the head and before it reads from the connection. */
static int after_request(void *argument, curl_off_t to_receive, curl_off_t received, curl_off_t to_send,
                         curl_off_t sent) {
  struct transfer *transfer = argument;
  (void)to_receive, (void)received, (void)to_send, (void)sent;
  if (!transfer->opening) return 0;
  http2_open(&transfer->stream, transfer->streams);
  set_opening(transfer, false);
  set_verbose(transfer, true);
  return 0;
}

void transfer_refuse_stream(struct transfer *transfer) {
  transfer->stream.refused = true;
  transfer->source.rewindable = true;
}

/* libcurl calls this function before it sends the request, and before it sends the request again because the connection
 * failed. A request that is not idempotent is sent again only if the server can't have received the complete request,
 * or has refused the request. In other cases the message could arrive twice. */
static int before_request(void *argument, char *remote_address, char *local_address, int remote_port, int local_port) {
  struct transfer *transfer = argument;
  struct source *source = &transfer->source;
  bool nothing_sent = transfer_sent(transfer) == SENT_NO;
  long connections = 0;
  curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connections);
  if (connections > 0) engine_set_connected(transfer->engine);
  if (!nothing_sent && !transfer->head->idempotent) transfer->repeat_refused = true;
  if (transfer->attempts == 0) {
    curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &transfer->request_base);
  } else {
    transfer->repeated = true;
    if (!source_rewind(source)) transfer->repeat_refused = true;
  }
  if (transfer->attempts == 0 || !nothing_sent) transfer->attempts++;
  if (transfer->repeat_refused) return CURL_PREREQFUNC_ABORT;
  if (transfer->stream.refused) source->complete = source->size == 0;
  source->rewindable = transfer->head->idempotent;
  bool counted =
      http2_begin(&transfer->stream, transfer->streams, remote_address, remote_port, local_address, local_port);
  set_opening(transfer, !transfer->head->plain && !transfer->head->is_http1);
  set_verbose(transfer, transfer->opening && !counted);
  return CURL_PREREQFUNC_OK;
}

static bool set_callbacks(struct transfer *transfer) {
  CURL *easy = transfer->easy;
  return curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, sink_head) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer->sink) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, sink_body) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer->sink) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_READFUNCTION, source_read) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_READDATA, &transfer->source) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, source_seek) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_SEEKDATA, &transfer->source) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_request) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, after_request) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_XFERINFODATA, transfer) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, engine_open_socket) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, engine_close_socket) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, transfer->engine) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, engine_read_text) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_DEBUGDATA, transfer) == CURLE_OK;
}

/* libcurl keeps the certificates in memory for later connections, but only if CURLOPT_CAPATH is not set. */
static bool set_authorities(CURL *easy, const char *ca_file) {
  const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);
  const bool has_file = ca_file != NULL || version->cainfo != NULL;
  if (ca_file != NULL && curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file) != CURLE_OK) return false;
  if (has_file && curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) != CURLE_OK) return false;
#if LIBCURL_VERSION_NUM >= 0x075700
  /* The result is ignored, because some TLS libraries do not support the option. */
  curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 24 * 60 * 60L);
#endif
  return true;
}

static bool set_policy(CURL *easy, const struct transfer_settings *settings) {
  /* The header User-Agent for requests to a proxy; libcurl only reads the list. */
  static char line[] = "User-Agent: waba/" WABA_VERSION;
  static struct curl_slist agent = {line, NULL};
  return curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK &&
         /* With CURLOPT_ACCEPT_ENCODING libcurl decodes every response, even if the request does not allow compression
          * (see head.c). */
         curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "") == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_PROXYHEADER, &agent) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_PROXY, settings->proxy) == CURLE_OK && set_authorities(easy, settings->ca_file);
}

bool transfer_open_easy(struct transfer *transfer, const struct transfer_settings *settings) {
  transfer->configured = 0;
  transfer->verbose = false;
  transfer->opening = false;
  transfer->mode = MODE_UNSET;
  transfer->timeout = -1;
  transfer->connect_timeout = -1;
  transfer->easy = curl_easy_init(); /* if the call fails, the functions that set options fail too */
#if LIBCURL_VERSION_NUM >= 0x075700
  /* Without this option the end of a transfer during a name lookup would wait for the resolver's thread, and so for the
   * slowest name server. */
  curl_easy_setopt(transfer->easy, CURLOPT_QUICK_EXIT, 1L);
#endif
  if (set_callbacks(transfer) && set_policy(transfer->easy, settings)) return true;
  curl_easy_cleanup(transfer->easy);
  transfer->easy = NULL;
  return false;
}

struct transfer *transfer_new(struct engine *engine, int id, const struct transfer_settings *settings,
                              struct http2_count *streams) {
  struct transfer *transfer = calloc(1, sizeof *transfer);
  if (transfer == NULL) return NULL;
  transfer->engine = engine;
  transfer->streams = streams;
  transfer->id = id;
  source_init(&transfer->source);
  sink_init(&transfer->sink);
  if (transfer_open_easy(transfer, settings)) return transfer;
  free(transfer);
  return NULL;
}

const char *transfer_configure(struct transfer *transfer, struct head *head, const struct transfer_options *options) {
  struct sink *sink = &transfer->sink;
  sink_open(sink, options->stream ? SINK_STREAM : SINK_MEMORY, options->max_body, options->max_size);
  if (options->save_as != NULL && !sink_open_file(sink, options->save_as, options->max_body, options->max_size)) {
    return transfer_no_file;
  }
  if (!transfer_set_request(transfer, head, options)) return HEAD_NO_MEMORY;
  transfer->source.rewindable = head->idempotent;
  transfer->progress = options->progress;
  transfer->progress_sent = transfer->progress_received = 0;
  transfer->attempts = 0;
  transfer->request_base = 0;
  transfer->repeat_refused = false;
  transfer->repeated = false;
  transfer->socket_error = 0;
  memset(&transfer->stream, 0, sizeof transfer->stream);
  transfer->end = END_BY_CURL;
  transfer->error[0] = '\0';
  transfer->head = head;
  head_retain(head);
  return NULL;
}

/* A body without a declared length ends with the connection. Some versions of OpenSSL report an error if the server
 * does not close TLS before the connection. This error is ignored, because other versions of OpenSSL and the transport
 * for nginx report no error. Only the content shows that a body without a declared length is incomplete. */
static bool is_end_of_body(const struct transfer *transfer, CURLcode code) {
  const struct sink *sink = &transfer->sink;
  return code == CURLE_RECV_ERROR && sink->is_http1 && sink->head_complete && sink->status != 0 && !sink->is_framed &&
         sink->error == SINK_OK &&
         (strstr(transfer->error, "unexpected eof") != NULL ||
          strstr(transfer->error, "non-properly terminated") != NULL);
}

void transfer_complete(struct transfer *transfer, enum transfer_end end, CURLcode code) {
  if (is_end_of_body(transfer, code)) code = CURLE_OK;
  transfer->state = TRANSFER_DONE;
  if (transfer->sink.status != 0) transfer->head->is_http1 = transfer->sink.is_http1;
  transfer->end = end;
  transfer->code = code;
  if (transfer->repeat_refused) transfer->code = CURLE_SEND_FAIL_REWIND;
  /* libcurl also accepts the end of the connection as the end of the head. */
  if (code == CURLE_OK && transfer->sink.status != 0 && !transfer->sink.head_complete) {
    transfer->code = CURLE_RECV_ERROR;
  } else if (end == END_BY_CURL && code == CURLE_OK && !sink_complete(&transfer->sink)) {
    transfer->code = CURLE_WRITE_ERROR;
  }
  if (!transfer_succeeded(transfer)) http2_forget(transfer->streams);
}

void transfer_release(struct transfer *transfer) {
  struct head *head = transfer->head;
  if (head != NULL) {
    if (head->dropped) transfer_unset_head(transfer);
    if (transfer->easy != NULL) {
      set_opening(transfer, false);
      set_verbose(transfer, false);
    }
    /* libcurl remembers a refused stream in the easy handle, and would later send a request again that may have been
     * processed. After a failure or a repeat, the next request gets a new handle. */
    if (transfer->repeated || !transfer_succeeded(transfer)) {
      transfer_unset_head(transfer);
      curl_easy_cleanup(transfer->easy);
      transfer->easy = NULL;
    }
    head_release(head);
  }
  transfer->head = NULL;
  transfer_unset_secret(transfer);
  source_close(&transfer->source);
  sink_close(&transfer->sink);
  transfer->owner = NULL;
  transfer->state = TRANSFER_IDLE;
}

void transfer_free(struct transfer *transfer) {
  transfer_unset_secret(transfer);
  curl_easy_cleanup(transfer->easy);
  source_free(&transfer->source);
  sink_free(&transfer->sink);
  free(transfer);
}

bool transfer_succeeded(const struct transfer *transfer) {
  return transfer->end == END_BY_CURL && transfer->code == CURLE_OK && transfer->sink.status != 0;
}

enum transfer_want transfer_wants(const struct transfer *transfer) {
  if (transfer->state == TRANSFER_IDLE) return WANT_NOTHING;
  const struct sink *sink = &transfer->sink;
  if (sink->kind == SINK_STREAM && sink_diverts(sink) && sink->body.length > 0) return WANT_DRAIN;
  if (transfer->state == TRANSFER_DONE) return WANT_FINISH;
  if (transfer->source.paused) return WANT_INPUT;
  const bool progressed =
      transfer->source.position != transfer->progress_sent || sink->received != transfer->progress_received;
  return transfer->progress && progressed ? WANT_PROGRESS : WANT_NOTHING;
}

curl_off_t transfer_bytes_sent(const struct transfer *transfer) {
  curl_off_t size = 0;
  if (transfer->mode == MODE_READ) return transfer->source.position;
  if (transfer->easy != NULL) curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &size);
  return size;
}

/* libcurl sends a body in POSTFIELDS together with the head in one write. After a successful first write, libcurl has
 * counted the bytes and stored the time of the write. If libcurl has counted no bytes and stored no time,
 * nothing was sent. */
static bool first_write_failed(const struct transfer *transfer) {
  long size = 0;
  curl_off_t time = 0;
  if (transfer->attempts > 1) return false;
  curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &size);
  curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &time);
  return size == transfer->request_base && time == 0;
}

enum transfer_sent transfer_sent(const struct transfer *transfer) {
  if (transfer->sink.status != 0) return SENT_YES;
  if (transfer->end == END_FORKED) return SENT_MAYBE; /* the parent process can complete the transfer */
  if (transfer->attempts == 0 || transfer->stream.refused) return SENT_NO;
  if (transfer->mode == MODE_READ) return transfer->source.complete ? SENT_MAYBE : SENT_NO;
  if (transfer->source.size > 0 && first_write_failed(transfer)) return SENT_NO;
  return SENT_MAYBE;
}
