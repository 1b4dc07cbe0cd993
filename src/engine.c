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
#include "process.h"
#include "watch.h"

/* More idle easy handles than this are freed. */
#define IDLE_MAX 64

/* How many idle transfers are looked at for one that is configured for the wanted head. */
#define IDLE_LOOK 8

/* libcurl's own timers get this much time before a transfer is ended from outside, in microseconds. */
#define GRACE 100000LL

#define LONGEST_WAIT 3600000000LL

struct engine {
  size_t holders;
  struct process_mark process;
  CURLM *multi; /* NULL: closed */
  struct watch *watch;
  struct transfer_settings settings;
  long max_connections;
  void (*forsaken)(struct transfer *transfer);

  struct transfer **transfers; /* by id - 1; NULL where one was freed */
  size_t size;
  struct transfer *idle;
  size_t idle_count;
  size_t in_flight;
  size_t attended; /* of those in flight, how many may want something before their end */

  struct transfer **ready; /* a ring of `size` places */
  size_t ready_first;
  size_t ready_count;

  long long due;    /* libcurl's timer, or ENGINE_NEVER */
  long long sweep;  /* when to look for transfers that libcurl forgot, or ENGINE_NEVER */
  bool awaited;     /* somebody may wait for the descriptor, until `awaited_until` */
  long long awaited_until;
  bool broken;      /* libcurl has given up the multi handle */
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
  if (kept < IDLE_MAX) kept = IDLE_MAX;
  if (multi == NULL || watch == NULL ||
      curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
      curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, engine) != CURLM_OK ||
      curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer) != CURLM_OK ||
      curl_multi_setopt(multi, CURLMOPT_TIMERDATA, engine) != CURLM_OK ||
      curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, engine->max_connections) != CURLM_OK ||
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

void engine_hold(struct engine *engine) {
  engine->holders++;
}

void engine_release(struct engine *engine) {
  if (--engine->holders > 0) return;
  engine_close(engine);
  free_shell(engine);
}

bool engine_closed(const struct engine *engine) {
  return engine->multi == NULL;
}

/* ---- The ready queue: each transfer stands in it at most once. ---- */

static void make_ready(struct engine *engine, struct transfer *transfer) {
  if (transfer->queued || transfer_wants(transfer) == WANT_NOTHING) return;
  transfer->queued = true;
  engine->ready[(engine->ready_first + engine->ready_count) % engine->size] = transfer;
  engine->ready_count++;
  announce(engine, 0);
}

struct transfer *engine_ready(struct engine *engine) {
  while (engine->ready_count > 0) {
    struct transfer *transfer = engine->ready[engine->ready_first];
    engine->ready_first = (engine->ready_first + 1) % engine->size;
    engine->ready_count--;
    transfer->queued = false;
    if (transfer_wants(transfer) != WANT_NOTHING) return transfer;
  }
  return NULL;
}

bool engine_has_ready(const struct engine *engine) {
  return engine->ready_count > 0;
}

/* Doubles the room for transfers, and for the ready queue with it. */
static bool grow(struct engine *engine) {
  size_t size = engine->size == 0 ? 16 : engine->size * 2;
  struct transfer **transfers = calloc(size, sizeof *transfers);
  struct transfer **ready = calloc(size, sizeof *ready);
  size_t i;
  if (transfers == NULL || ready == NULL) {
    free(transfers);
    free(ready);
    return false;
  }
  for (i = 0; i < engine->size; i++) transfers[i] = engine->transfers[i];
  for (i = 0; i < engine->ready_count; i++) {
    ready[i] = engine->ready[(engine->ready_first + i) % engine->size];
  }
  free(engine->transfers);
  free(engine->ready);
  engine->transfers = transfers;
  engine->ready = ready;
  engine->ready_first = 0;
  engine->size = size;
  return true;
}

/* ---- The life of a transfer. ---- */

/* Takes an idle one out of the list, if possible one that is configured for this head. */
static struct transfer *take_idle(struct engine *engine, const struct head *head) {
  struct transfer **place = &engine->idle;
  struct transfer *transfer;
  unsigned looks;
  for (looks = 0; *place != NULL && looks < IDLE_LOOK; looks++) {
    if ((*place)->head == head) break;
    place = &(*place)->next;
  }
  if (*place == NULL || looks == IDLE_LOOK) place = &engine->idle;
  transfer = *place;
  if (transfer == NULL) return NULL;
  *place = transfer->next;
  transfer->next = NULL;
  engine->idle_count--;
  return transfer;
}

struct transfer *engine_take(struct engine *engine, const struct head *head) {
  struct transfer *transfer = take_idle(engine, head);
  size_t place;
  if (transfer != NULL) {
    if (transfer->easy != NULL ||
        transfer_equip(transfer, &engine->settings, on_open, on_close)) {
      return transfer;
    }
    engine_finish(engine, transfer);
    return NULL;
  }
  for (place = 0; place < engine->size && engine->transfers[place] != NULL; place++) continue;
  if (place == engine->size && !grow(engine)) return NULL;
  transfer = transfer_new(engine, (int)place + 1, &engine->settings, on_open, on_close);
  engine->transfers[place] = transfer;
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
  if (engine->idle_count >= IDLE_MAX && !transfer->queued) {
    engine->transfers[transfer->id - 1] = NULL;
    transfer_free(transfer);
    return;
  }
  transfer->next = engine->idle;
  engine->idle = transfer;
  engine->idle_count++;
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
  struct transfer *transfer;
  for (transfer = engine->idle; transfer != NULL; transfer = transfer->next) {
    if (transfer->head == head) transfer_unset_head(transfer);
  }
  head_drop(head);
}

/* ---- Processes. ---- */

/* In a child process: nothing may be said to the peers, who belong to the parent. What libcurl knows of
 * its connections is left as it is, in memory that nobody uses any more. */
static void abandon(struct engine *engine) {
  size_t place;
  for (place = 0; place < engine->size; place++) {
    struct transfer *transfer = engine->transfers[place];
    if (transfer == NULL) continue;
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
  size_t place;
  for (place = 0; place < engine->size; place++) {
    struct transfer *transfer = engine->transfers[place];
    if (transfer != NULL && transfer->state == TRANSFER_MOVING) {
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

static void move_sockets(struct engine *engine) {
  int socket, events, running;
  while (watch_next(engine->watch, &socket, &events)) {
    /* Who may write is told to read as well: what TLS has already taken from the socket makes no socket
     * readable, and may be the window update that an upload over HTTP/2 waits for. */
    int flags = (events & (WATCH_IN | WATCH_OUT) ? CURL_CSELECT_IN : 0) |
                (events & WATCH_OUT ? CURL_CSELECT_OUT : 0) |
                (events & WATCH_ERROR ? CURL_CSELECT_ERR : 0);
    if (curl_multi_socket_action(engine->multi, socket, flags, &running) != CURLM_OK) {
      engine->broken = true;
    }
  }
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
  size_t place;
  engine->sweep = ENGINE_NEVER;
  for (place = 0; place < engine->size; place++) {
    struct transfer *transfer = engine->transfers[place];
    if (transfer == NULL || transfer->state != TRANSFER_MOVING) continue;
    if (transfer->deadline == ENGINE_NEVER) continue;
    if (transfer->deadline + GRACE <= time) {
      end(engine, transfer, END_PENDING_TOO_LONG, CURLE_OPERATION_TIMEDOUT);
    } else if (transfer->deadline + GRACE < engine->sweep) {
      engine->sweep = transfer->deadline + GRACE;
    }
  }
}

static void attend(struct engine *engine) {
  size_t place;
  if (engine->attended == 0) return;
  for (place = 0; place < engine->size; place++) {
    struct transfer *transfer = engine->transfers[place];
    if (transfer != NULL && transfer->state == TRANSFER_MOVING) make_ready(engine, transfer);
  }
}

void engine_pump(struct engine *engine) {
  bool awaited = engine->awaited;
  long long time = now();
  unsigned rounds;
  engine->awaited = false;
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

size_t engine_in_flight(const struct engine *engine) {
  return engine->in_flight;
}

int engine_descriptor(struct engine *engine) {
  watch_flush(engine->watch);
  return watch_descriptor(engine->watch);
}

/* How long nothing is due. */
static long long idle_time(const struct engine *engine) {
  long long next = engine->due < engine->sweep ? engine->due : engine->sweep;
  long long left;
  if (engine->ready_count > 0 || !watch_drained(engine->watch)) return 0;
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
  if (engine->multi == NULL && engine->size == 0) return;
  if (engine->multi != NULL && !process_is_same(&engine->process)) abandon(engine);
  for (place = 0; place < engine->size; place++) {
    struct transfer *transfer = engine->transfers[place];
    if (transfer == NULL) continue;
    if (transfer->state == TRANSFER_MOVING) end(engine, transfer, END_CLOSED, CURLE_OK);
    if (transfer->owner != NULL) engine->forsaken(transfer);
    transfer_release(transfer);
    transfer_free(transfer);
  }
  if (engine->multi != NULL) {
    curl_multi_cleanup(engine->multi);
    watch_free(engine->watch);
  }
  engine->multi = NULL;
  engine->watch = NULL;
  free(engine->transfers);
  free(engine->ready);
  engine->transfers = NULL;
  engine->ready = NULL;
  engine->idle = NULL;
  engine->size = engine->ready_count = engine->ready_first = engine->idle_count = 0;
}
