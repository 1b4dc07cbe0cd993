/* The struct of a watch, for the files watch*.c only. watch.c has the table of sockets. watch_epoll.c, watch_kqueue.c
 * or watch_poll.c calls the system. Pure C. */
#pragma once

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
  unsigned char registered; /* the events that are registered with the system */
  bool changed;             /* true: the entry is in `changes` */
  bool open;                /* true: between watch_opened and watch_closed */
  bool muted;               /* true: WATCH_OUT is ignored */
};

struct watch_ready {
  int socket;
  int events;
};

struct watch {
  int descriptor;
  int wake[2]; /* the ends of a pipe; -1: a watch by poll has no pipe */
  bool woken;
  struct watch_entry *entries; /* the entries by socket number */
  size_t size;
  size_t muted; /* the number of muted entries */
  int *changes;  /* the changed entries; each entry occurs at most once */
  size_t change_count;
  struct watch_ready ready[WATCH_READY_SIZE];
  size_t ready_count;
  size_t ready_taken;
  bool fresh; /* true: after the last wait, `watch_next` can still have events to return */
};

/* Returns the events of the entry that must be registered with the system. */
static inline int watch_registrable(const struct watch_entry *entry) {
  return entry->muted ? entry->wanted & ~WATCH_OUT : entry->wanted;
}

/* Adds a ready socket. A wait must add at most WATCH_READY_SIZE sockets. */
static inline void watch_found(struct watch *watch, int socket, int events) {
  watch->ready[watch->ready_count++] = (struct watch_ready){socket, events};
}

/* Opens `descriptor` and `wake`, if the system has them. Returns false, with errno, if the system refuses; then
 * `watch_free` closes what was opened. */
bool watch_system_open(struct watch *watch);

/* Changes the registered events of a socket from `before` to `now`. */
void watch_system_register(struct watch *watch, int socket, int before, int now);

/* Waits, and calls `watch_found` for each ready socket. */
void watch_system_wait(struct watch *watch, int milliseconds);

#if !defined(WABA_USE_POLL)
/* Creates the pipe that makes the descriptor of epoll or kqueue readable. */
bool watch_open_pipe(int ends[2]);
void watch_empty_pipe(struct watch *watch);
#endif
