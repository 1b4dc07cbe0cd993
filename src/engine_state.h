/* The inside of an engine, for the files engine*.c alone: engine.c is its life and that of its transfers,
 * engine_handles.c its multi handle and its sockets, engine_pump.c moves and waits. Pure C. */
#ifndef WABA_ENGINE_STATE_H
#define WABA_ENGINE_STATE_H

#include <time.h>

#include "engine.h"
#include "pool.h"
#include "process.h"
#include "watch.h"

/* libcurl's own timers get this much time before a transfer is ended from outside, in microseconds. */
#define ENGINE_GRACE 100000LL

struct engine {
  size_t holders;
  struct process_mark process;
  bool closed;
  CURLM *multi; /* NULL: closed, or the system refused new handles; the next call tries again */
  struct watch *watch;
  struct transfer_settings settings;
  long max_connections;
  void (*forsaken)(struct transfer *transfer);

  struct pool pool;
  unsigned long long last_head; /* the id of the head that was added last */
  size_t in_flight;
  size_t attended; /* of those in flight, how many may want something before their end */

  long long due;       /* libcurl's timer, or ENGINE_NEVER */
  long long sweep;     /* when to look for transfers that libcurl forgot, or ENGINE_NEVER */
  unsigned writable;   /* how often a socket had just room to write since `uploaded` was counted */
  curl_off_t uploaded; /* by all in flight */
  long long muted_until;
  bool awaited; /* somebody may wait for the descriptor, until `awaited_until` */
  long long awaited_until;
  bool broken;    /* libcurl has given up the multi handle */
  bool connected; /* a new connection was established; transfers may wait for its protocol to be known */
};

static inline long long engine_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (long long)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* Something is due at this time: whoever waits longer must hear of it. */
static inline void engine_announce(struct engine *engine, long long time) {
  if (engine->awaited && time < engine->awaited_until) {
    engine->awaited_until = time;
    watch_wake(engine->watch);
  }
}

static inline void engine_make_ready(struct engine *engine, struct transfer *transfer) {
  if (pool_make_ready(&engine->pool, transfer)) engine_announce(engine, 0);
}

/* A transfer that moves has come to its end. */
void engine_end(struct engine *engine, struct transfer *transfer, enum transfer_end end,
                CURLcode code);

/* Opens the multi handle and the watch of an engine that has none. False, with errno. */
bool engine_open_handles(struct engine *engine);

/* The callbacks of libcurl for the transfers of an engine. */
extern const struct transfer_hooks engine_hooks;

/* In a child process: lets go of the handles. */
void engine_abandon(struct engine *engine);

/* Opens new handles instead of broken ones; what moves ends. */
void engine_renew(struct engine *engine);

#endif
