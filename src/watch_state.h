/* The inside of a watch, for the files watch*.c alone: watch.c is the table of sockets, one of the others
 * asks the system. Pure C. */
#ifndef WABA_WATCH_STATE_H
#define WABA_WATCH_STATE_H

#include "watch.h"

#if !defined(WABA_USE_POLL) && !defined(WABA_USE_KQUEUE)
#if defined(__linux__)
#define WABA_USE_EPOLL
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || \
    defined(__DragonFly__)
#define WABA_USE_KQUEUE
#else
#define WABA_USE_POLL
#endif
#endif

#define WATCH_READY_SIZE 128

struct watch_entry {
  unsigned char wanted;     /* WATCH_IN, WATCH_OUT */
  unsigned char registered; /* what the system was told */
  bool changed;             /* listed in `changes` */
  bool open;                /* between watch_opened and watch_closed */
  bool muted;               /* WATCH_OUT is not asked for */
};

struct watch_ready {
  int socket;
  int events;
};

struct watch {
  int descriptor;
  int wake[2]; /* a pipe; -1 with poll */
  bool woken;
  struct watch_entry *entries; /* by socket number */
  size_t size;
  size_t wanted; /* number of entries that want something */
  size_t muted;  /* number of muted entries */
  int *changes;  /* at most one per entry */
  size_t change_count;
  struct watch_ready ready[WATCH_READY_SIZE];
  size_t ready_count;
  size_t ready_taken;
  bool fresh; /* `ready` is what the last wait found, maybe nothing */
};

/* What the system is to be asked for. */
static inline int watch_asked(const struct watch_entry *entry) {
  return entry->muted ? entry->wanted & ~WATCH_OUT : entry->wanted;
}

/* The system says what a socket is ready for. There is room for as many as it was asked for at once. */
static inline void watch_found(struct watch *watch, int socket, int events) {
  watch->ready[watch->ready_count].socket = socket;
  watch->ready[watch->ready_count].events = events;
  watch->ready_count++;
}

/* What differs between the systems: epoll, kqueue, poll. */

/* Opens `descriptor` and `wake`, where there are such. False, with errno; `watch_free` closes the rest. */
bool watch_system_open(struct watch *watch);

/* Tells the system what a socket is asked for now, and was before. */
void watch_system_register(struct watch *watch, int socket, int before, int now);

/* Waits, and calls `watch_found` for what is ready. */
void watch_system_wait(struct watch *watch, int milliseconds);

#if !defined(WABA_USE_POLL)
/* What epoll and kqueue share: a pipe that makes their descriptor readable. */
bool watch_open_pipe(int ends[2]);
void watch_empty_pipe(struct watch *watch);
#endif

#endif
