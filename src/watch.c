/* Readiness of sockets by epoll, kqueue or poll: see watch.h. The part that differs between them stands
 * in the middle; the table of sockets is shared. */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

#if defined(WABA_USE_EPOLL)
#include <sys/epoll.h>
#elif defined(WABA_USE_KQUEUE)
#include <sys/types.h>

#include <sys/event.h>
#include <sys/time.h>
#endif

#define READY_SIZE 128

struct entry {
  unsigned char wanted;     /* WATCH_IN, WATCH_OUT */
  unsigned char registered; /* what the system was told */
  bool changed;             /* listed in `changes` */
  bool open;                /* between watch_opened and watch_closed */
  bool muted;               /* WATCH_OUT is not asked for */
};

struct ready {
  int socket;
  int events;
};

struct watch {
  int descriptor;
  int wake[2]; /* a pipe; -1 with poll */
  bool woken;
  struct entry *entries; /* by socket number */
  size_t size;
  size_t wanted; /* number of entries that want something */
  size_t muted;  /* number of muted entries */
  int *changes;  /* at most one per entry */
  size_t change_count;
  struct ready ready[READY_SIZE];
  size_t ready_count;
  size_t ready_taken;
  bool fresh; /* `ready` is what the last wait found, maybe nothing */
};

/* Makes room for a socket number. `changes` has as much room as there are entries. */
static bool watch_reserve(struct watch *watch, int socket) {
  size_t size = watch->size < 64 ? 64 : watch->size;
  struct entry *entries;
  int *changes;
  if ((size_t)socket < watch->size) return true;
  while (size <= (size_t)socket) size *= 2;
  entries = realloc(watch->entries, size * sizeof *entries);
  if (entries == NULL) return false;
  watch->entries = entries;
  changes = realloc(watch->changes, size * sizeof *changes);
  if (changes == NULL) return false;
  watch->changes = changes;
  memset(entries + watch->size, 0, (size - watch->size) * sizeof *entries);
  watch->size = size;
  return true;
}

/* What the system is to be asked for. */
static int watch_asked(const struct entry *entry) {
  return entry->muted ? entry->wanted & ~WATCH_OUT : entry->wanted;
}

static void watch_found(struct watch *watch, int socket, int events) {
  watch->ready[watch->ready_count].socket = socket;
  watch->ready[watch->ready_count].events = events;
  watch->ready_count++;
}

#if !defined(WABA_USE_POLL)

/* A pipe rather than an eventfd or a user event: it serves every system alike. */
static bool open_pipe(int ends[2]) {
  int i;
  if (pipe(ends) != 0) return false;
  for (i = 0; i < 2; i++) {
    fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    fcntl(ends[i], F_SETFL, O_NONBLOCK);
  }
  return true;
}

static void empty_pipe(struct watch *watch) {
  char bytes[16];
  while (read(watch->wake[0], bytes, sizeof bytes) > 0) continue;
  watch->woken = false;
}

#endif

#if defined(WABA_USE_EPOLL)

static bool system_open(struct watch *watch) {
  struct epoll_event event;
  if (!open_pipe(watch->wake)) return false;
  watch->descriptor = epoll_create1(EPOLL_CLOEXEC);
  if (watch->descriptor < 0) return false;
  memset(&event, 0, sizeof event);
  event.events = EPOLLIN;
  event.data.fd = watch->wake[0];
  return epoll_ctl(watch->descriptor, EPOLL_CTL_ADD, watch->wake[0], &event) == 0;
}

static void system_register(struct watch *watch, int socket, int before, int now) {
  struct epoll_event event;
  int operation = now == 0 ? EPOLL_CTL_DEL : before == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  memset(&event, 0, sizeof event);
  event.events =
      (now & WATCH_IN ? (uint32_t)EPOLLIN : 0) | (now & WATCH_OUT ? (uint32_t)EPOLLOUT : 0);
  event.data.fd = socket;
  if (epoll_ctl(watch->descriptor, operation, socket, &event) == 0) return;
  /* A number that was closed and given out again behind our back. */
  if (operation == EPOLL_CTL_MOD && errno == ENOENT) {
    epoll_ctl(watch->descriptor, EPOLL_CTL_ADD, socket, &event);
  } else if (operation == EPOLL_CTL_ADD && errno == EEXIST) {
    epoll_ctl(watch->descriptor, EPOLL_CTL_MOD, socket, &event);
  }
}

static void system_wait(struct watch *watch, int milliseconds) {
  struct epoll_event events[READY_SIZE];
  int count = epoll_wait(watch->descriptor, events, READY_SIZE, milliseconds);
  int i;
  for (i = 0; i < count; i++) {
    uint32_t flags = events[i].events;
    int found = (flags & EPOLLIN ? WATCH_IN : 0) | (flags & EPOLLOUT ? WATCH_OUT : 0);
    if (events[i].data.fd == watch->wake[0]) {
      empty_pipe(watch);
      continue;
    }
    if (flags & (EPOLLERR | EPOLLHUP)) found |= WATCH_ERROR;
    watch_found(watch, events[i].data.fd, found);
  }
}

#elif defined(WABA_USE_KQUEUE)

static bool system_open(struct watch *watch) {
  struct kevent change;
  if (!open_pipe(watch->wake)) return false;
  watch->descriptor = kqueue();
  if (watch->descriptor < 0) return false;
  fcntl(watch->descriptor, F_SETFD, FD_CLOEXEC);
  EV_SET(&change, watch->wake[0], EVFILT_READ, EV_ADD, 0, 0, 0);
  return kevent(watch->descriptor, &change, 1, NULL, 0, NULL) == 0;
}

/* One filter per call: a refusal of the first would hide the second. */
static void system_filter(struct watch *watch, int socket, int filter, bool now) {
  struct kevent change;
  EV_SET(&change, socket, filter, now ? EV_ADD : EV_DELETE, 0, 0, 0);
  kevent(watch->descriptor, &change, 1, NULL, 0, NULL);
}

static void system_register(struct watch *watch, int socket, int before, int now) {
  int differing = before ^ now;
  if (differing & WATCH_IN) system_filter(watch, socket, EVFILT_READ, (now & WATCH_IN) != 0);
  if (differing & WATCH_OUT) system_filter(watch, socket, EVFILT_WRITE, (now & WATCH_OUT) != 0);
}

static void system_wait(struct watch *watch, int milliseconds) {
  struct kevent events[READY_SIZE];
  struct timespec time;
  int count, i;
  time.tv_sec = milliseconds / 1000;
  time.tv_nsec = (long)(milliseconds % 1000) * 1000000L;
  count = kevent(watch->descriptor, NULL, 0, events, READY_SIZE, milliseconds < 0 ? NULL : &time);
  for (i = 0; i < count; i++) {
    int socket = (int)events[i].ident;
    int found = events[i].filter == EVFILT_WRITE ? WATCH_OUT : WATCH_IN;
    if (socket == watch->wake[0]) {
      empty_pipe(watch);
      continue;
    }
    if (events[i].flags & EV_ERROR) found |= WATCH_ERROR;
    watch_found(watch, socket, found);
  }
}

#else

static bool system_open(struct watch *watch) {
  (void)watch;
  return true;
}

static void system_register(struct watch *watch, int socket, int before, int now) {
  (void)watch, (void)socket, (void)before, (void)now;
}

/* Appends what the watch wants to `polled`, which has room for it; returns the number. */
static size_t system_list(const struct watch *watch, struct pollfd *polled) {
  size_t count = 0, socket;
  for (socket = 0; socket < watch->size; socket++) {
    int wanted = watch_asked(&watch->entries[socket]);
    if (wanted == 0) continue;
    polled[count].fd = (int)socket;
    polled[count].events =
        (short)((wanted & WATCH_IN ? POLLIN : 0) | (wanted & WATCH_OUT ? POLLOUT : 0));
    polled[count].revents = 0;
    count++;
  }
  return count;
}

static void system_wait(struct watch *watch, int milliseconds) {
  struct pollfd *polled = malloc((watch->wanted + 1) * sizeof *polled);
  size_t count, i;
  if (polled == NULL) return;
  count = system_list(watch, polled);
  if (poll(polled, (nfds_t)count, milliseconds) > 0) {
    for (i = 0; i < count && watch->ready_count < READY_SIZE; i++) {
      int flags = polled[i].revents;
      int found = (flags & POLLIN ? WATCH_IN : 0) | (flags & POLLOUT ? WATCH_OUT : 0);
      if (flags & (POLLERR | POLLHUP | POLLNVAL)) found |= WATCH_ERROR;
      if (found != 0) watch_found(watch, polled[i].fd, found);
    }
  }
  free(polled);
}

#endif

struct watch *watch_new(void) {
  struct watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL) return NULL;
  watch->descriptor = watch->wake[0] = watch->wake[1] = -1;
  if (!system_open(watch)) {
    int fault = errno;
    watch_free(watch);
    errno = fault;
    return NULL;
  }
  return watch;
}

void watch_free(struct watch *watch) {
  if (watch->descriptor >= 0) close(watch->descriptor);
  if (watch->wake[0] >= 0) close(watch->wake[0]);
  if (watch->wake[1] >= 0) close(watch->wake[1]);
  free(watch->entries);
  free(watch->changes);
  free(watch);
}

int watch_descriptor(const struct watch *watch) { return watch->descriptor; }

static void watch_register(struct watch *watch, int socket) {
  struct entry *entry = &watch->entries[socket];
  int asked = watch_asked(entry);
  if (entry->registered == asked) return;
  system_register(watch, socket, entry->registered, asked);
  entry->registered = (unsigned char)asked;
}

static void watch_change(struct watch *watch, int socket) {
  struct entry *entry = &watch->entries[socket];
  if (entry->changed || watch_asked(entry) == entry->registered) return;
  entry->changed = true;
  watch->changes[watch->change_count++] = socket;
}

static void watch_set_muted(struct watch *watch, int socket, bool muted) {
  struct entry *entry = &watch->entries[socket];
  if (entry->muted == muted) return;
  entry->muted = muted;
  watch->muted += muted ? 1 : -(size_t)1;
  watch_change(watch, socket);
}

bool watch_want(struct watch *watch, int socket, int events) {
  struct entry *entry;
  if (!watch_reserve(watch, socket)) return false;
  entry = &watch->entries[socket];
  if (entry->wanted == 0 && events != 0) watch->wanted++;
  if (entry->wanted != 0 && events == 0) watch->wanted--;
  entry->wanted = (unsigned char)events;
  if (events == 0 && !entry->open) {
    /* It may be closed next, and its number given to another. */
    watch_register(watch, socket);
  } else {
    watch_change(watch, socket);
  }
  return true;
}

bool watch_busy(const struct watch *watch) { return watch->wanted > 0; }

bool watch_opened(struct watch *watch, int socket) {
  if (!watch_reserve(watch, socket)) return false;
  watch_closed(watch, socket);
  watch->entries[socket].open = true;
  return true;
}

void watch_closed(struct watch *watch, int socket) {
  struct entry *entry;
  if ((size_t)socket >= watch->size) return;
  entry = &watch->entries[socket];
  if (entry->wanted != 0) watch->wanted--;
  /* Closing took it out of the system's set. `changed` stays: the list still names it. */
  entry->wanted = 0;
  entry->registered = 0;
  entry->open = false;
  watch_set_muted(watch, socket, false);
}

void watch_mute(struct watch *watch, int socket) { watch_set_muted(watch, socket, true); }

void watch_unmute(struct watch *watch) {
  size_t socket;
  for (socket = 0; socket < watch->size && watch->muted > 0; socket++) {
    watch_set_muted(watch, (int)socket, false);
  }
}

bool watch_is_muting(const struct watch *watch) { return watch->muted > 0; }

void watch_flush(struct watch *watch) {
  size_t i;
  for (i = 0; i < watch->change_count; i++) {
    watch->entries[watch->changes[i]].changed = false;
    watch_register(watch, watch->changes[i]);
  }
  watch->change_count = 0;
}

void watch_wait(struct watch *watch, int milliseconds) {
  watch_flush(watch);
  watch->ready_count = 0;
  watch->ready_taken = 0;
  watch->fresh = true;
  system_wait(watch, milliseconds);
}

bool watch_next(struct watch *watch, int *socket, int *events) {
  while (watch->ready_taken < watch->ready_count) {
    const struct ready *ready = &watch->ready[watch->ready_taken++];
    if (watch->entries[ready->socket].wanted != 0) {
      watch_set_muted(watch, ready->socket, false);
      *socket = ready->socket;
      *events = ready->events;
      return true;
    }
    /* An idle connection that its peer closed, left registered to save two calls per request. */
    watch_register(watch, ready->socket);
  }
  watch->fresh = false;
  return false;
}

bool watch_drained(const struct watch *watch) { return !watch->fresh; }

void watch_wake(struct watch *watch) {
  if (watch->wake[1] < 0 || watch->woken) return;
  watch->woken = write(watch->wake[1], "", 1) == 1;
}

#if defined(WABA_USE_POLL)
bool watch_wait_any(struct watch **watches, size_t count, int milliseconds) {
  size_t total = 1, i;
  struct pollfd *polled;
  for (i = 0; i < count; i++) total += watches[i]->wanted;
  polled = malloc(total * sizeof *polled);
  if (polled == NULL) return false;
  total = 0;
  for (i = 0; i < count; i++) total += system_list(watches[i], polled + total);
  poll(polled, (nfds_t)total, milliseconds);
  free(polled);
  return true;
}
#else
bool watch_wait_any(struct watch **watches, size_t count, int milliseconds) {
  struct pollfd *polled = malloc((count + 1) * sizeof *polled);
  size_t i;
  if (polled == NULL) return false;
  for (i = 0; i < count; i++) {
    watch_flush(watches[i]);
    polled[i].fd = watches[i]->descriptor;
    polled[i].events = POLLIN;
    polled[i].revents = 0;
  }
  poll(polled, (nfds_t)count, milliseconds);
  free(polled);
  return true;
}
#endif

void watch_abandon(struct watch *watch) {
  size_t socket;
  for (socket = 0; socket < watch->size; socket++) {
    if (watch->entries[socket].open) close((int)socket);
  }
#if defined(WABA_USE_KQUEUE)
  watch->descriptor = -1; /* a child does not get it: the number may be another's by now */
#endif
  watch_free(watch);
}
