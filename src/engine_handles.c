/* The multi handle and the sockets of an engine. Each process must open its own handle and sockets: see
 * engine_state.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine_state.h"

/* The least number of idle connections that libcurl keeps. */
#define CONNECTIONS_KEPT 64

/* The callbacks of libcurl, which only store what happened ------------------------------------- */

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *argument, void *of_socket) {
  struct engine *engine = argument;
  (void)easy, (void)of_socket;
  const int events = (what == CURL_POLL_IN || what == CURL_POLL_INOUT ? WATCH_IN : 0) |
                     (what == CURL_POLL_OUT || what == CURL_POLL_INOUT ? WATCH_OUT : 0);
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

curl_socket_t engine_open_socket(void *argument, curlsocktype purpose, struct curl_sockaddr *address) {
  struct transfer *transfer = argument;
  (void)purpose;
#ifdef SOCK_CLOEXEC
  int opened = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
#else
  int opened = socket(address->family, address->socktype, address->protocol);
  if (opened >= 0) fcntl(opened, F_SETFD, FD_CLOEXEC);
#endif
  if (opened >= 0 && watch_opened(transfer->engine->watch, opened)) return opened;
  transfer->socket_error = opened < 0 ? errno : ENOMEM;
  if (opened >= 0) close(opened);
  return CURL_SOCKET_BAD;
}

int engine_close_socket(void *argument, curl_socket_t socket) {
  struct engine *engine = argument;
  http2_forget(&engine->streams);
  watch_closed(engine->watch, socket);
  return close(socket);
}

/* Reads GOAWAY and REFUSED_STREAM. A GOAWAY names the last stream that the server may process, and refuses all streams
 * with higher ids. */
int engine_read_text(CURL *easy, curl_infotype type, char *text, size_t size, void *argument) {
  struct transfer *transfer = argument, *other;
  unsigned long last;
  size_t place = 0;
  (void)easy;
  if (type != CURLINFO_TEXT) return 0;
  if (http2_read(&transfer->stream, text, size, &last)) {
    while ((other = engine_next_moving(transfer->engine, &place)) != NULL) {
      if (http2_is_above(&other->stream, &transfer->stream, last)) transfer_refuse_stream(other);
    }
  }
  if (transfer->stream.refused) transfer_refuse_stream(transfer);
  return 0;
}

void engine_set_connected(struct engine *engine) { engine->connected = true; }

/* Detecting a fork ----------------------------------------------------------------------------- */

bool engine_is_own(const struct engine *engine) {
  return engine->alive != NULL ? *engine->alive != 0 : engine->process == getpid();
}

#if defined(MADV_WIPEONFORK) && defined(MAP_ANONYMOUS)

/* Reading one byte of a page that the system zeroes in child processes takes less time than getpid. */
static unsigned char *new_page(void) {
  const size_t size = (size_t)sysconf(_SC_PAGESIZE);
  void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return NULL;
  if (madvise(page, size, MADV_WIPEONFORK) == 0) return page;
  munmap(page, size);
  return NULL;
}

#else

static unsigned char *new_page(void) { return NULL; }

#endif

void engine_free_page(struct engine *engine) {
  if (engine->alive != NULL) munmap(engine->alive, (size_t)sysconf(_SC_PAGESIZE));
}

/* The handles ---------------------------------------------------------------------------------- */

bool engine_open_handles(struct engine *engine) {
  const long kept = engine->max_connections * 2;
  CURLM *multi = engine->multi = curl_multi_init();
  engine->watch = watch_new();
  /* If `multi` is NULL, `curl_multi_setopt` fails. By default libcurl keeps few connections while few transfers are in
   * flight, so a burst would need new connections. */
  if (engine->watch == NULL || curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
      curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, engine) != CURLM_OK ||
      curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer) != CURLM_OK ||
      curl_multi_setopt(multi, CURLMOPT_TIMERDATA, engine) != CURLM_OK ||
      curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, engine->max_connections) != CURLM_OK ||
      curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, kept < CONNECTIONS_KEPT ? CONNECTIONS_KEPT : kept) != CURLM_OK) {
    int error = errno;
    engine_free_handles(engine);
    errno = error != 0 ? error : ENOMEM;
    return false;
  }
  engine->due = ENGINE_NEVER;
  engine->sweep = ENGINE_NEVER;
  engine->awaited = false;
  engine->broken = false;
  engine->connected = false;
  if (engine->alive == NULL) engine->alive = new_page();
  if (engine->alive != NULL) *engine->alive = 1;
  engine->process = getpid();
  return true;
}

void engine_free_handles(struct engine *engine) {
  curl_multi_cleanup(engine->multi);
  if (engine->watch != NULL) watch_free(engine->watch);
  engine->multi = NULL;
  engine->watch = NULL;
}

/* Called in a child process. The connections belong to the parent, so nothing may be sent on them. The handles of
 * libcurl are not freed: if they were, libcurl would send messages to the peers and close the connections. */
void engine_abandon(struct engine *engine) {
  struct transfer *transfer;
  for (size_t place = 0; (transfer = pool_next(&engine->pool, &place)) != NULL;) {
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
  if (engine_is_own(engine)) return true;
  engine->awaited = false;
  engine_abandon(engine);
  return engine_open_handles(engine);
}

void engine_reopen(struct engine *engine) {
  struct transfer *transfer;
  for (size_t place = 0; (transfer = engine_next_moving(engine, &place)) != NULL;) {
    engine_end(engine, transfer, END_BY_CURL, CURLE_OUT_OF_MEMORY);
  }
  engine_free_handles(engine);
  engine_open_handles(engine);
}
