/* One curl multi handle with all its easy handles: see engine.h. */
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "text.h"
#include "pool.h"
#include "process.h"
#include "watch.h"

/* So many idle connections are kept, at least. */
#define CONNECTIONS_KEPT 64

/* libcurl's own timers get this much time before a transfer is ended from outside, in microseconds. */
#define GRACE 100000LL

/* A socket is muted for this long, in microseconds, after so many times of having room in vain. */
#define MUTED 50000LL
#define IN_VAIN 8

#define LONGEST_WAIT 3600000000LL

struct engine {
  size_t holders;
  struct process_mark process;
  CURLM *multi; /* NULL: closed */
  struct watch *watch;
  struct transfer_settings settings;
  long max_connections;
  void (*forsaken)(struct transfer *transfer);

  struct pool pool;
  size_t in_flight;
  size_t attended; /* of those in flight, how many may want something before their end */

  long long due;       /* libcurl's timer, or ENGINE_NEVER */
  long long sweep;     /* when to look for transfers that libcurl forgot, or ENGINE_NEVER */
  unsigned writable;   /* how often a socket had just room to write since `uploaded` was counted */
  curl_off_t uploaded; /* by all in flight */
  long long muted_until;
  bool awaited; /* somebody may wait for the descriptor, until `awaited_until` */
  long long awaited_until;
  bool broken; /* libcurl has given up the multi handle */
};

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (long long)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* Something is due at this time: whoever waits longer must hear of it. */
static void announce(struct engine *engine, long long time) {
  if (engine->awaited && time < engine->awaited_until) {
    engine->awaited_until = time;
    watch_wake(engine->watch);
  }
}

/* ---- What libcurl calls. It only records. ---- */

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
  engine->due = milliseconds < 0 ? ENGINE_NEVER : now() + milliseconds * 1000LL;
  announce(engine, engine->due);
  return 0;
}

static curl_socket_t on_open(void *argument, curlsocktype purpose, struct curl_sockaddr *address) {
  struct engine *engine = argument;
  int type = address->socktype;
  int opened;
  (void)purpose;
#ifdef SOCK_CLOEXEC
  type |= SOCK_CLOEXEC;
#endif
  opened = socket(address->family, type, address->protocol);
  if (opened < 0) return CURL_SOCKET_BAD;
#ifndef SOCK_CLOEXEC
  fcntl(opened, F_SETFD, FD_CLOEXEC);
#endif
  if (watch_opened(engine->watch, opened)) return opened;
  close(opened);
  return CURL_SOCKET_BAD;
}

static int on_close(void *argument, curl_socket_t socket) {
  struct engine *engine = argument;
  watch_closed(engine->watch, socket);
  return close(socket);
}

/* ---- Handles. ---- */

static bool open_handles(struct engine *engine) {
  CURLM *multi = curl_multi_init();
  struct watch *watch = watch_new();
  long kept = engine->max_connections * 2;
  if (kept < CONNECTIONS_KEPT) kept = CONNECTIONS_KEPT;
  if (multi == NULL || watch == NULL ||
      curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
      curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, engine) != CURLM_OK ||
      curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer) != CURLM_OK ||
      curl_multi_setopt(multi, CURLMOPT_TIMERDATA, engine) != CURLM_OK ||
      curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, engine->max_connections) !=
          CURLM_OK ||
      /* By default libcurl keeps few when few transfers are in flight, and a burst starts cold. */
      curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, kept) != CURLM_OK) {
    int fault = errno;
    if (multi != NULL) curl_multi_cleanup(multi);
    if (watch != NULL) watch_free(watch);
    errno = fault != 0 ? fault : ENOMEM;
    return false;
  }
  engine->multi = multi;
  engine->watch = watch;
  engine->due = ENGINE_NEVER;
  engine->sweep = ENGINE_NEVER;
  engine->awaited = false;
  engine->broken = false;
  process_remember(&engine->process);
  return true;
}

static bool copy_text(char **copied, const char *text) {
  if (text == NULL) return true;
  *copied = malloc(strlen(text) + 1);
  if (*copied == NULL) return false;
  strcpy(*copied, text);
  return true;
}

static void free_shell(struct engine *engine) {
  process_forget(&engine->process);
  free(engine->settings.ca_file);
  if (engine->settings.proxy != NULL) {
    text_wipe(engine->settings.proxy, strlen(engine->settings.proxy));
  }
  free(engine->settings.proxy);
  free(engine);
}

struct engine *engine_new(const struct engine_options *options) {
  struct engine *engine = calloc(1, sizeof *engine);
  int fault;
  if (engine == NULL) return NULL;
  engine->holders = 1;
  engine->max_connections = options->max_connections;
  engine->forsaken = options->forsaken;
  errno = ENOMEM;
  if (copy_text(&engine->settings.ca_file, options->ca_file) &&
      copy_text(&engine->settings.proxy, options->proxy)) {
    errno = 0;
    if (open_handles(engine)) return engine;
  }
  fault = errno;
  free_shell(engine);
  errno = fault;
  return NULL;
}

void engine_hold(struct engine *engine) { engine->holders++; }

void engine_release(struct engine *engine) {
  if (--engine->holders > 0) return;
  engine_close(engine);
  free_shell(engine);
}

bool engine_closed(const struct engine *engine) { return engine->multi == NULL; }

/* ---- The life of a transfer. ---- */

static void make_ready(struct engine *engine, struct transfer *transfer) {
  if (pool_make_ready(&engine->pool, transfer)) announce(engine, 0);
}

struct transfer *engine_ready(struct engine *engine) {
  return pool_next_ready(&engine->pool);
}

bool engine_has_ready(const struct engine *engine) { return engine->pool.ready_count > 0; }

static struct transfer *new_transfer(struct engine *engine) {
  int id = pool_free_id(&engine->pool);
  struct transfer *transfer = NULL;
  if (id != 0) transfer = transfer_new(engine, id, &engine->settings, on_open, on_close);
  if (transfer != NULL) pool_add(&engine->pool, transfer);
  return transfer;
}

struct transfer *engine_take(struct engine *engine, const struct head *head) {
  struct transfer *transfer = pool_take(&engine->pool, head);
  if (transfer == NULL) return new_transfer(engine);
  /* It has no easy handle if its last one was left to the parent process. */
  if (transfer->easy == NULL && !transfer_equip(transfer, &engine->settings, on_open, on_close)) {
    pool_put(&engine->pool, transfer);
    return NULL;
  }
  return transfer;
}

/* Whether it may want something before it is finished. */
static bool is_attended(const struct transfer *transfer) {
  return transfer->progress || transfer->source.kind == SOURCE_FED ||
         transfer->sink.kind == SINK_STREAM;
}

const char *engine_start(struct engine *engine, struct transfer *transfer, struct head *head,
                         const struct transfer_options *options) {
  const char *fault = transfer_configure(transfer, head, options);
  if (fault != NULL) return fault;
  transfer->state = TRANSFER_MOVING;
  transfer->deadline = ENGINE_NEVER;
  if (curl_multi_add_handle(engine->multi, transfer->easy) != CURLM_OK) {
    transfer_complete(transfer, END_BY_CURL, CURLE_OUT_OF_MEMORY);
    return HEAD_NO_MEMORY;
  }
  engine->in_flight++;
  if (is_attended(transfer)) engine->attended++;
  if (options->timeout > 0) {
    transfer->deadline = now() + options->timeout * 1000LL;
    if (transfer->deadline + GRACE < engine->sweep) {
      engine->sweep = transfer->deadline + GRACE;
      announce(engine, engine->sweep);
    }
  }
  return NULL;
}

/* A transfer that moves has come to its end. */
static void end(struct engine *engine, struct transfer *transfer, enum transfer_end end,
                CURLcode code) {
  curl_multi_remove_handle(engine->multi, transfer->easy);
  engine->in_flight--;
  if (is_attended(transfer)) engine->attended--;
  transfer_complete(transfer, end, code);
  make_ready(engine, transfer);
}

void engine_cancel(struct engine *engine, struct transfer *transfer) {
  if (transfer->state == TRANSFER_MOVING) end(engine, transfer, END_CANCELLED, CURLE_OK);
}

void engine_finish(struct engine *engine, struct transfer *transfer) {
  engine_cancel(engine, transfer);
  transfer_release(transfer);
  pool_put(&engine->pool, transfer);
}

void engine_resume(struct engine *engine, struct transfer *transfer) {
  struct source *source = &transfer->source;
  struct sink *sink = &transfer->sink;
  bool changed = false;
  if (transfer->state == TRANSFER_MOVING && source->fault != SOURCE_FINE) {
    end(engine, transfer, END_BY_CURL, CURLE_ABORTED_BY_CALLBACK);
  } else if (transfer->state == TRANSFER_MOVING) {
    if (source->hungry && source_can_give(source)) {
      source->hungry = false;
      changed = true;
    }
    if (sink->paused && sink->body.length == 0) {
      sink->paused = false;
      changed = true;
    }
  }
  if (changed) {
    int still = (sink->paused ? CURLPAUSE_RECV : 0) | (source->hungry ? CURLPAUSE_SEND : 0);
    CURLcode code = curl_easy_pause(transfer->easy, still);
    if (code != CURLE_OK) end(engine, transfer, END_BY_CURL, code);
  }
  make_ready(engine, transfer);
}

void engine_drop_head(struct engine *engine, struct head *head) {
  pool_unset_head(&engine->pool, head);
  head_drop(head);
}

/* ---- Processes. ---- */

/* In a child process: nothing may be said to the peers, who belong to the parent. What libcurl knows of
 * its connections is left as it is, in memory that nobody uses any more. */
static void abandon(struct engine *engine) {
  struct transfer *transfer;
  size_t place = 0;
  while ((transfer = pool_next(&engine->pool, &place)) != NULL) {
    sink_disown(&transfer->sink);
    if (transfer->state != TRANSFER_MOVING) continue;
    transfer->easy = NULL;
    transfer_complete(transfer, END_FORKED, CURLE_OK);
    make_ready(engine, transfer);
  }
  engine->in_flight = 0;
  engine->attended = 0;
  engine->multi = NULL;
  watch_abandon(engine->watch);
  engine->watch = NULL;
}

bool engine_check_process(struct engine *engine) {
  if (engine->multi == NULL) return false;
  if (process_is_same(&engine->process)) return true;
  engine->awaited = false;
  abandon(engine);
  return open_handles(engine);
}

/* libcurl gives a multi handle up when it has no memory for its sockets. */
static void renew(struct engine *engine) {
  struct transfer *transfer;
  size_t place = 0;
  while ((transfer = pool_next(&engine->pool, &place)) != NULL) {
    if (transfer->state == TRANSFER_MOVING) {
      end(engine, transfer, END_BY_CURL, CURLE_OUT_OF_MEMORY);
    }
  }
  curl_multi_cleanup(engine->multi);
  watch_free(engine->watch);
  engine->multi = NULL;
  engine->watch = NULL;
  open_handles(engine);
}

/* ---- Moving and waiting. ---- */

static curl_off_t count_uploaded(const struct engine *engine) {
  curl_off_t uploaded = 0;
  const struct transfer *transfer;
  size_t place = 0;
  while ((transfer = pool_next(&engine->pool, &place)) != NULL) {
    curl_off_t size = 0;
    if (transfer->state != TRANSFER_MOVING) continue;
    curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &size);
    uploaded += size;
  }
  return uploaded;
}

/* libcurl 7.88 asks for room to write while an upload over HTTP/2 waits for the peer to open its window.
 * There always is room: the program would turn round and round until then. True when nothing moves: the
 * window update will come as something to read. */
static bool is_in_vain(struct engine *engine, int events) {
  curl_off_t before = engine->uploaded;
  if (events != WATCH_OUT || ++engine->writable < IN_VAIN) return false;
  engine->writable = 0;
  engine->uploaded = count_uploaded(engine);
  return engine->uploaded == before;
}

static void move_sockets(struct engine *engine) {
  int socket, events, running;
  while (watch_next(engine->watch, &socket, &events)) {
    /* An error is left for libcurl to find by reading or writing: told of it, libcurl 7.88 asks no
     * further, and forgets what it would do for a broken connection. */
    int flags = (events & (WATCH_IN | WATCH_ERROR) ? CURL_CSELECT_IN : 0) |
                (events & (WATCH_OUT | WATCH_ERROR) ? CURL_CSELECT_OUT : 0);
    bool in_vain = is_in_vain(engine, events);
    if (curl_multi_socket_action(engine->multi, socket, flags, &running) != CURLM_OK) {
      engine->broken = true;
    }
    if (in_vain) {
      watch_mute(engine->watch, socket);
      engine->muted_until = now() + MUTED;
    }
  }
}

static void unmute(struct engine *engine, long long time) {
  if (watch_is_muting(engine->watch) && engine->muted_until <= time) watch_unmute(engine->watch);
}

static void move_timers(struct engine *engine, long long time) {
  int running;
  if (engine->due > time) return;
  /* libcurl sets its timer anew in this call, or has none. */
  engine->due = ENGINE_NEVER;
  if (curl_multi_socket_action(engine->multi, CURL_SOCKET_TIMEOUT, 0, &running) != CURLM_OK) {
    engine->broken = true;
  }
}

static void collect(struct engine *engine) {
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(engine->multi, &left)) != NULL) {
    char *private = NULL;
    CURLcode code = message->data.result;
    if (message->msg != CURLMSG_DONE) continue;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
    end(engine, (struct transfer *)(void *)private, END_BY_CURL, code);
  }
}

/* libcurl 7.88 lets no timer end a transfer that waits for a free connection. */
static void sweep(struct engine *engine, long long time) {
  struct transfer *transfer;
  size_t place = 0;
  engine->sweep = ENGINE_NEVER;
  while ((transfer = pool_next(&engine->pool, &place)) != NULL) {
    if (transfer->state != TRANSFER_MOVING) continue;
    if (transfer->deadline == ENGINE_NEVER) continue;
    if (transfer->deadline + GRACE <= time) {
      end(engine, transfer, END_PENDING_TOO_LONG, CURLE_OPERATION_TIMEDOUT);
    } else if (transfer->deadline + GRACE < engine->sweep) {
      engine->sweep = transfer->deadline + GRACE;
    }
  }
}

static void attend(struct engine *engine) {
  struct transfer *transfer;
  size_t place = 0;
  if (engine->attended == 0) return;
  while ((transfer = pool_next(&engine->pool, &place)) != NULL) {
    if (transfer->state == TRANSFER_MOVING) make_ready(engine, transfer);
  }
}

void engine_pump(struct engine *engine) {
  bool awaited = engine->awaited;
  long long time = now();
  unsigned rounds;
  engine->awaited = false;
  unmute(engine, time);
  /* A timer that is due now was set by `engine_start`, mostly: the sockets can be asked later. */
  if (watch_drained(engine->watch) && (awaited || engine->due > time)) {
    watch_wait(engine->watch, 0);
  }
  move_sockets(engine);
  for (rounds = 0; rounds < 16; rounds++) {
    move_timers(engine, time);
    collect(engine);
    time = now();
    if (engine->due > time) break;
  }
  if (engine->sweep <= time) sweep(engine, time);
  attend(engine);
  if (engine->broken) renew(engine);
}

size_t engine_in_flight(const struct engine *engine) { return engine->in_flight; }

int engine_descriptor(struct engine *engine) {
  watch_flush(engine->watch);
  return watch_descriptor(engine->watch);
}

/* How long nothing is due. */
static long long idle_time(const struct engine *engine) {
  long long next = engine->due < engine->sweep ? engine->due : engine->sweep;
  long long left;
  if (engine->pool.ready_count > 0 || !watch_drained(engine->watch)) return 0;
  if (watch_is_muting(engine->watch) && engine->muted_until < next) next = engine->muted_until;
  if (next == ENGINE_NEVER) return ENGINE_NEVER;
  left = next - now();
  return left > 0 ? left : 0;
}

static void await(struct engine *engine, long long left) {
  engine->awaited = true;
  engine->awaited_until = left == ENGINE_NEVER ? ENGINE_NEVER : now() + left;
}

long long engine_timeout(struct engine *engine) {
  long long left = idle_time(engine);
  watch_flush(engine->watch);
  await(engine, left);
  return left;
}

/* Rounded up: a wait that ends too early only has to be repeated. */
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
  bool waited;
  size_t i;
  if (watches == NULL) return false;
  for (i = 0; i < count; i++) {
    long long left = idle_time(engines[i]);
    if (left < microseconds) microseconds = left;
    watches[i] = engines[i]->watch;
    engines[i]->awaited = true;
    engines[i]->awaited_until = 0;
  }
  waited = watch_wait_any(watches, count, milliseconds(microseconds));
  free(watches);
  return waited;
}

/* ---- The end. ---- */

void engine_close(struct engine *engine) {
  size_t place;
  if (engine->multi == NULL && engine->pool.size == 0) return;
  if (engine->multi != NULL && !process_is_same(&engine->process)) abandon(engine);
  for (place = 0; place < engine->pool.size; place++) {
    struct transfer *transfer = engine->pool.transfers[place];
    if (transfer == NULL) continue;
    if (transfer->state == TRANSFER_MOVING) end(engine, transfer, END_CLOSED, CURLE_OK);
    if (transfer->owner != NULL) engine->forsaken(transfer);
  }
  pool_clear(&engine->pool);
  if (engine->multi != NULL) {
    curl_multi_cleanup(engine->multi);
    watch_free(engine->watch);
  }
  engine->multi = NULL;
  engine->watch = NULL;
}
