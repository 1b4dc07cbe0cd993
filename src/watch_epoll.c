/* A watch by epoll (Linux): see watch_state.h. */
#include "watch_state.h"

#if defined(WABA_USE_EPOLL)

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

bool watch_system_open(struct watch *watch) {
  struct epoll_event event;
  if (!watch_open_pipe(watch->wake)) return false;
  watch->descriptor = epoll_create1(EPOLL_CLOEXEC);
  if (watch->descriptor < 0) return false;
  memset(&event, 0, sizeof event);
  event.events = EPOLLIN;
  event.data.fd = watch->wake[0];
  return epoll_ctl(watch->descriptor, EPOLL_CTL_ADD, watch->wake[0], &event) == 0;
}

void watch_system_register(struct watch *watch, int socket, int before, int now) {
  struct epoll_event event;
  int operation = now == 0 ? EPOLL_CTL_DEL : before == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  memset(&event, 0, sizeof event);
  event.events = (now & WATCH_IN ? (uint32_t)EPOLLIN : 0) | (now & WATCH_OUT ? (uint32_t)EPOLLOUT : 0);
  event.data.fd = socket;
  if (epoll_ctl(watch->descriptor, operation, socket, &event) == 0) return;
  /* The socket was closed without a call of `watch_closed`, and a new socket has the same number. */
  if (operation == EPOLL_CTL_MOD && errno == ENOENT) epoll_ctl(watch->descriptor, EPOLL_CTL_ADD, socket, &event);
  else if (operation == EPOLL_CTL_ADD && errno == EEXIST) epoll_ctl(watch->descriptor, EPOLL_CTL_MOD, socket, &event);
}

void watch_system_wait(struct watch *watch, int milliseconds) {
  struct epoll_event events[WATCH_READY_SIZE];
  int count = epoll_wait(watch->descriptor, events, WATCH_READY_SIZE, milliseconds);
  for (int i = 0; i < count; i++) {
    uint32_t flags = events[i].events;
    int found = (flags & EPOLLIN ? WATCH_IN : 0) | (flags & EPOLLOUT ? WATCH_OUT : 0);
    if (events[i].data.fd == watch->wake[0]) {
      watch_empty_pipe(watch);
      continue;
    }
    if (flags & (EPOLLERR | EPOLLHUP)) found |= WATCH_ERROR;
    watch_found(watch, events[i].data.fd, found);
  }
}

#endif
