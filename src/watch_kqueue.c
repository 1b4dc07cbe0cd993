/* A watch by kqueue (BSD, macOS): see watch_state.h. */
#include "watch_state.h"

#if defined(WABA_USE_KQUEUE)

#include <fcntl.h>
#include <sys/types.h>

#include <sys/event.h>
#include <sys/time.h>

bool watch_system_open(struct watch *watch) {
  struct kevent change;
  if (!watch_open_pipe(watch->wake)) return false;
  watch->descriptor = kqueue();
  if (watch->descriptor < 0) return false;
  fcntl(watch->descriptor, F_SETFD, FD_CLOEXEC);
  EV_SET(&change, watch->wake[0], EVFILT_READ, EV_ADD, 0, 0, 0);
  return kevent(watch->descriptor, &change, 1, NULL, 0, NULL) == 0;
}

/* Only one filter is changed per call, because kevent would ignore the second filter after an error of the first. */
static void system_filter(struct watch *watch, int socket, int filter, bool now) {
  struct kevent change;
  EV_SET(&change, socket, filter, now ? EV_ADD : EV_DELETE, 0, 0, 0);
  kevent(watch->descriptor, &change, 1, NULL, 0, NULL);
}

void watch_system_register(struct watch *watch, int socket, int before, int now) {
  int differing = before ^ now;
  if (differing & WATCH_IN) system_filter(watch, socket, EVFILT_READ, (now & WATCH_IN) != 0);
  if (differing & WATCH_OUT) system_filter(watch, socket, EVFILT_WRITE, (now & WATCH_OUT) != 0);
}

void watch_system_wait(struct watch *watch, int milliseconds) {
  struct kevent events[WATCH_READY_SIZE];
  const struct timespec time = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000L};
  const int count = kevent(watch->descriptor, NULL, 0, events, WATCH_READY_SIZE, milliseconds < 0 ? NULL : &time);
  for (int i = 0; i < count; i++) {
    int socket = (int)events[i].ident;
    int found = events[i].filter == EVFILT_WRITE ? WATCH_OUT : WATCH_IN;
    if (events[i].flags & EV_ERROR) found |= WATCH_ERROR;
    if (socket == watch->wake[0]) watch_empty_pipe(watch);
    else watch_found(watch, socket, found);
  }
}

#endif
