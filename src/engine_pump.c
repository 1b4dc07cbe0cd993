/* Continues transfers and waits for their sockets: see engine.h. */
#include <stdlib.h>

#include "engine_state.h"

/* A socket that was writable IDLE_WRITES_MAX times without sending anything is muted for this number of
 * microseconds. */
#define MUTED 50000LL
#define IDLE_WRITES_MAX 8

#define LONGEST_WAIT 3600000000LL

static curl_off_t count_uploaded(const struct engine *engine) {
  curl_off_t uploaded = 0;
  const struct transfer *transfer;
  for (size_t place = 0; (transfer = engine_next_moving(engine, &place)) != NULL;) {
    curl_off_t size = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &size);
    uploaded += size;
  }
  return uploaded;
}

/* libcurl 7.88 waits for a writable socket while an upload over HTTP/2 waits for a window update of the peer. The
 * socket is always writable, so without this check the program would use the whole processor until the window update
 * arrives. The window update makes the socket readable. Returns true if nothing was sent since the uploaded
 * bytes were last counted. */
static bool is_idle_write(struct engine *engine, int events) {
  curl_off_t before = engine->uploaded;
  if (events != WATCH_OUT || ++engine->writable < IDLE_WRITES_MAX) return false;
  engine->writable = 0;
  engine->uploaded = count_uploaded(engine);
  return engine->uploaded == before;
}

/* Transfers wait while a connection is being opened, because the connection may support HTTP/2. If the connection does
 * not support HTTP/2, libcurl 8.14 continues the transfers only after the first response. libcurl checks the waiting
 * transfers when a handle is removed, so this function adds a handle and removes the handle again. */
static void recheck_pending(struct engine *engine) {
  const bool connected = engine->connected;
  engine->connected = false;
  if (!connected || engine->in_flight < 2) return;
  CURL *easy = curl_easy_init();
  if (curl_multi_add_handle(engine->multi, easy) == CURLM_OK) curl_multi_remove_handle(engine->multi, easy);
  curl_easy_cleanup(easy);
}

static void act(struct engine *engine, int socket, int flags) {
  int running;
  if (curl_multi_socket_action(engine->multi, socket, flags, &running) != CURLM_OK) engine->broken = true;
}

static void move_sockets(struct engine *engine) {
  int socket, events;
  while (watch_next(engine->watch, &socket, &events)) {
    /* After an error, the socket is reported to libcurl as readable and writable, so that libcurl itself finds the
     * error. CURL_CSELECT_ERR is not used, because libcurl 7.88 then handles a broken connection differently. */
    int flags = (events & (WATCH_IN | WATCH_ERROR) ? CURL_CSELECT_IN : 0) |
                (events & (WATCH_OUT | WATCH_ERROR) ? CURL_CSELECT_OUT : 0);
    bool is_idle = is_idle_write(engine, events);
    act(engine, socket, flags);
    if (is_idle) {
      watch_mute(engine->watch, socket);
      engine->muted_until = engine_now() + MUTED;
    }
  }
  recheck_pending(engine);
}

static void move_timers(struct engine *engine, long long time) {
  if (engine->due > time) return;
  engine->due = ENGINE_NEVER; /* libcurl can set a new timer in the next call */
  act(engine, CURL_SOCKET_TIMEOUT, 0);
  recheck_pending(engine);
}

static void collect(struct engine *engine) {
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(engine->multi, &left)) != NULL) {
    char *private = NULL;
    CURLcode code = message->data.result;
    if (message->msg != CURLMSG_DONE) continue;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
    engine_end(engine, (struct transfer *)(void *)private, END_BY_CURL, code);
  }
}

/* libcurl 7.88 does not apply the timeout of a transfer that waits for a free connection. */
static void sweep(struct engine *engine, long long time) {
  struct transfer *transfer;
  engine->sweep = ENGINE_NEVER;
  for (size_t place = 0; (transfer = engine_next_moving(engine, &place)) != NULL;) {
    if (transfer->deadline == ENGINE_NEVER) continue;
    if (transfer->deadline + ENGINE_GRACE <= time) {
      engine_end(engine, transfer, END_PENDING_TOO_LONG, CURLE_OPERATION_TIMEDOUT);
    } else if (transfer->deadline + ENGINE_GRACE < engine->sweep) {
      engine->sweep = transfer->deadline + ENGINE_GRACE;
    }
  }
}

void engine_pump(struct engine *engine) {
  const bool awaited = engine->awaited;
  struct transfer *transfer;
  size_t place = 0;
  long long time = engine_now();
  engine->awaited = false;
  if (watch_is_muting(engine->watch) && engine->muted_until <= time) watch_unmute(engine->watch);
  /* If a timer is due now, it was probably set by `engine_start`, and then the sockets can be checked later. */
  if (watch_drained(engine->watch) && (awaited || engine->due > time)) watch_wait(engine->watch, 0);
  move_sockets(engine);
  for (unsigned rounds = 0; rounds < 16; rounds++) {
    move_timers(engine, time);
    collect(engine);
    time = engine_now();
    if (engine->due > time) break;
  }
  if (engine->sweep <= time) sweep(engine, time);
  while (engine->interactive > 0 && (transfer = engine_next_moving(engine, &place)) != NULL) {
    engine_make_ready(engine, transfer);
  }
  if (engine->broken) engine_reopen(engine);
}

void engine_dispatch(struct engine *engine) {
  move_timers(engine, engine_now());
  collect(engine);
}

int engine_descriptor(struct engine *engine) {
  watch_flush(engine->watch);
  return watch_descriptor(engine->watch);
}

/* Returns the time until the engine has something to do. */
static long long idle_time(const struct engine *engine) {
  long long next = engine->due < engine->sweep ? engine->due : engine->sweep;
  if (engine->pool.ready_count > 0 || !watch_drained(engine->watch)) return 0;
  if (watch_is_muting(engine->watch) && engine->muted_until < next) next = engine->muted_until;
  if (next == ENGINE_NEVER) return ENGINE_NEVER;
  long long left = next - engine_now();
  return left > 0 ? left : 0;
}

long long engine_timeout(struct engine *engine) {
  const long long left = idle_time(engine);
  watch_flush(engine->watch);
  engine->awaited = true;
  engine->awaited_until = left == ENGINE_NEVER ? ENGINE_NEVER : engine_now() + left;
  return left;
}

/* The time is rounded up, because a wait that ends too early must be repeated. */
static int milliseconds(long long microseconds) {
  if (microseconds > LONGEST_WAIT) microseconds = LONGEST_WAIT;
  return microseconds <= 0 ? 0 : (int)((microseconds + 999) / 1000);
}

void engine_wait(struct engine *engine, long long microseconds) {
  long long left = idle_time(engine);
  engine->awaited = true;
  engine->awaited_until = 0;
  if (watch_drained(engine->watch)) {
    watch_wait(engine->watch, milliseconds(left < microseconds ? left : microseconds));
  }
}

bool engine_wait_any(struct engine **engines, size_t count, long long microseconds) {
  struct watch **watches = malloc((count + 1) * sizeof *watches);
  if (watches == NULL) return false;
  for (size_t i = 0; i < count; i++) {
    long long left = idle_time(engines[i]);
    if (left < microseconds) microseconds = left;
    watches[i] = engines[i]->watch;
    engines[i]->awaited = true;
    engines[i]->awaited_until = 0;
  }
  bool waited = watch_wait_any(watches, count, milliseconds(microseconds));
  free(watches);
  return waited;
}
