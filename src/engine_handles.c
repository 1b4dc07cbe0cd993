/* The multi handle and the sockets of an engine. Each process must open its own handle and sockets: see
 * engine_state.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine_state.h"

/* The least number of idle connections that libcurl keeps. */
#define CONNECTIONS_KEPT 64

/* The callbacks of libcurl. They only store what happened -------------------------------------- */

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *argument, void *of_socket) {
  struct engine *engine = argument;
  int events = what == CURL_POLL_REMOVE ? 0
               : what == CURL_POLL_IN   ? WATCH_IN
               : what == CURL_POLL_OUT  ? WATCH_OUT
                                        : WATCH_IN | WATCH_OUT;
  (void)easy, (void)of_socket;
  if (watch_want(engine->watch, socket, events)) return 0;
  engine->broken = true;
  return -1;
}

static int on_timer(CURLM *multi, long milliseconds, void *argument) {
  struct engine *engine = argument;
  (void)multi;
  engine->due = milliseconds < 0 ? ENGINE_NEVER : engine_now() + milliseconds * 1000LL;
  engine_wake_at(engine, engine->due);
  return 0;
}

static curl_socket_t open_socket(void *argument, curlsocktype purpose,
                                 struct curl_sockaddr *address) {
  struct transfer *transfer = argument;
  int type = address->socktype;
  int opened;
  (void)purpose;
#ifdef SOCK_CLOEXEC
  type |= SOCK_CLOEXEC;
#endif
  opened = socket(address->family, type, address->protocol);
  if (opened < 0) {
    transfer->socket_error = errno;
    return CURL_SOCKET_BAD;
  }
#ifndef SOCK_CLOEXEC
  fcntl(opened, F_SETFD, FD_CLOEXEC);
#endif
  if (watch_opened(transfer->engine->watch, opened)) return opened;
  close(opened);
  transfer->socket_error = ENOMEM;
  return CURL_SOCKET_BAD;
}

static int close_socket(void *argument, curl_socket_t socket) {
  struct engine *engine = argument;
  http2_forget(&engine->streams);
  watch_closed(engine->watch, socket);
  return close(socket);
}

/* Marks a transfer as refused if the id of its stream is larger than that of the last stream that the server may
 * process. */
static void refuse_above(struct engine *engine, const struct http2_stream *of, unsigned long last) {
  struct transfer *transfer;
  size_t place = 0;
  while ((transfer = pool_next(&engine->pool, &place)) != NULL) {
    if (transfer->state == TRANSFER_MOVING && http2_is_above(&transfer->stream, of, last)) {
      transfer_refuse_stream(transfer);
    }
  }
}

static int on_text(CURL *easy, curl_infotype type, char *text, size_t size, void *argument) {
  struct transfer *transfer = argument;
  unsigned long last;
  (void)easy;
  if (type != CURLINFO_TEXT) return 0;
  if (http2_read(&transfer->stream, text, size, &last)) {
    refuse_above(transfer->engine, &transfer->stream, last);
  }
  if (transfer->stream.refused) transfer_refuse_stream(transfer);
  return 0;
}

static void on_connected(struct engine *engine) { engine->connected = true; }

const struct transfer_hooks engine_hooks = {open_socket, close_socket, on_text, on_connected};

bool engine_open_handles(struct engine *engine) {
  CURLM *multi = curl_multi_init();
  struct watch *watch = watch_new();
  long kept = engine->max_connections * 2;
  if (kept < CONNECTIONS_KEPT) kept = CONNECTIONS_KEPT;
  /* libcurl's functions fail without a multi handle */
  if (watch == NULL || curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
      curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, engine) != CURLM_OK ||
      curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer) != CURLM_OK ||
      curl_multi_setopt(multi, CURLMOPT_TIMERDATA, engine) != CURLM_OK ||
      curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, engine->max_connections) !=
          CURLM_OK ||
      /* By default libcurl keeps few connections while few transfers are in flight, so a burst would need new
       * connections. */
      curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, kept) != CURLM_OK) {
    int error = errno;
    curl_multi_cleanup(multi);
    if (watch != NULL) watch_free(watch);
    errno = error != 0 ? error : ENOMEM;
    return false;
  }
  engine->multi = multi;
  engine->watch = watch;
  engine->due = ENGINE_NEVER;
  engine->sweep = ENGINE_NEVER;
  engine->awaited = false;
  engine->broken = false;
  engine->connected = false;
  process_remember(&engine->process);
  return true;
}

/* Called in a child process. The connections belong to the parent, so nothing may be sent on them. The handles of
 * libcurl are not freed, because libcurl would send messages to the peers and close the connections. */
void engine_abandon(struct engine *engine) {
  struct transfer *transfer;
  size_t place = 0;
  while ((transfer = pool_next(&engine->pool, &place)) != NULL) {
    sink_disown(&transfer->sink);
    if (transfer->state != TRANSFER_MOVING) continue;
    transfer->easy = NULL;
    transfer_complete(transfer, END_FORKED, CURLE_OK);
    engine_make_ready(engine, transfer);
  }
  engine->in_flight = 0;
  engine->interactive = 0;
  engine->multi = NULL;
  http2_forget(&engine->streams);
  watch_abandon(engine->watch);
  engine->watch = NULL;
}

bool engine_check_process(struct engine *engine) {
  if (engine->closed) return false;
  if (engine->multi == NULL) return engine_open_handles(engine);
  if (process_is_same(&engine->process)) return true;
  engine->awaited = false;
  engine_abandon(engine);
  return engine_open_handles(engine);
}

/* If there was not enough memory for its sockets, the multi handle can no longer be used. */
void engine_reopen(struct engine *engine) {
  struct transfer *transfer;
  size_t place = 0;
  while ((transfer = pool_next(&engine->pool, &place)) != NULL) {
    if (transfer->state == TRANSFER_MOVING) {
      engine_end(engine, transfer, END_BY_CURL, CURLE_OUT_OF_MEMORY);
    }
  }
  curl_multi_cleanup(engine->multi);
  watch_free(engine->watch);
  engine->multi = NULL;
  engine->watch = NULL;
  engine_open_handles(engine);
}
