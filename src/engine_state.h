/* The struct of an engine, for the files engine*.c only. engine.c creates, starts and ends engines and transfers,
 * engine_handles.c has the multi handle and the sockets, and engine_pump.c continues transfers and waits. Pure C. */
#pragma once

#include <sys/types.h>
#include <time.h>

#include "engine.h"
#include "pool.h"
#include "watch.h"

/* If libcurl has not ended a transfer this number of microseconds after its deadline, `engine_pump` ends the
 * transfer. */
#define ENGINE_GRACE 100000LL

struct engine {
  size_t references;
  bool closed;
  pid_t process;        /* the process that opened the handles */
  unsigned char *alive; /* a page that the system zeroes in a child process; NULL: the system has no such pages */
  CURLM *multi;         /* NULL: closed, or the system refused new handles; the next call tries again */
  struct watch *watch;
  struct transfer_settings settings;
  long max_connections;
  void (*on_close)(struct transfer *transfer);

  struct pool pool;
  struct http2_count streams;
  unsigned long long last_head; /* the id of the head that was added last */
  size_t in_flight;
  size_t interactive; /* the number of transfers in flight that may have to call a Lua function */

  long long due;       /* the time of libcurl's timer, or ENGINE_NEVER */
  long long sweep;     /* the time of the next search for transfers whose deadline is over, or ENGINE_NEVER */
  unsigned writable;   /* how often a socket was writable but not readable since `uploaded` was last updated */
  curl_off_t uploaded; /* the number of bytes that all transfers in flight have uploaded */
  long long muted_until;
  bool awaited; /* true: a caller may wait for the descriptor until the time `awaited_until` */
  long long awaited_until;
  bool broken;    /* true: the multi handle can no longer be used */
  bool connected; /* true: a new connection was established; transfers may wait until its protocol is known */
};

static inline long long engine_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (long long)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* Wakes the waiting caller if the caller would otherwise wait beyond this time. */
static inline void engine_wake_at(struct engine *engine, long long time) {
  if (engine->awaited && time < engine->awaited_until) {
    engine->awaited_until = time;
    watch_wake(engine->watch);
  }
}

static inline void engine_make_ready(struct engine *engine, struct transfer *transfer) {
  if (pool_make_ready(&engine->pool, transfer)) engine_wake_at(engine, 0);
}

/* Iterates over the transfers in flight; `*place` must be 0 before the first call. Returns NULL at the end. */
static inline struct transfer *engine_next_moving(const struct engine *engine, size_t *place) {
  struct transfer *transfer = pool_next(&engine->pool, place);
  while (transfer != NULL && transfer->state != TRANSFER_MOVING) transfer = pool_next(&engine->pool, place);
  return transfer;
}

void engine_end(struct engine *engine, struct transfer *transfer, enum transfer_end end, CURLcode code);

/* Opens the multi handle and the watch of an engine without handles. Returns false, with errno, if the system
 * refuses. */
bool engine_open_handles(struct engine *engine);

void engine_free_handles(struct engine *engine);

/* Returns whether the running process has opened the handles. */
bool engine_is_own(const struct engine *engine);

/* Frees the page that detects a fork. */
void engine_free_page(struct engine *engine);

void engine_abandon(struct engine *engine);

/* Called after libcurl had not enough memory for a socket, because the multi handle can then no longer be used. Ends
 * the transfers in flight and opens new handles. */
void engine_reopen(struct engine *engine);
