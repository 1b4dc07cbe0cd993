/* A watch by epoll (Linux): see watch_state.h. */
#include "watch_state.h"

#if defined(WABA_USE_EPOLL)

#include <errno.h>
#include <sys/epoll.h>

bool watch_system_open(struct watch *watch) {
  if (!watch_open_pipe(watch->wake)) return false;
  watch->descriptor = epoll_create1(EPOLL_CLOEXEC);
  if (watch->descriptor < 0) return false;
  struct epoll_event event = {.events = EPOLLIN, .data.fd = watch->wake[0]};
  return epoll_ctl(watch->descriptor, EPOLL_CTL_ADD, watch->wake[0], &event) == 0;
}

void watch_system_register(struct watch *watch, int socket, int before, int now) {
  const uint32_t events = (now & WATCH_IN ? (uint32_t)EPOLLIN : 0) | (now & WATCH_OUT ? (uint32_t)EPOLLOUT : 0);
  struct epoll_event event = {.events = events, .data.fd = socket};
  const int operation = now == 0 ? EPOLL_CTL_DEL : before == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
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
    if (flags & (EPOLLERR | EPOLLHUP)) found |= WATCH_ERROR;
    if (events[i].data.fd == watch->wake[0]) watch_empty_pipe(watch);
    else watch_found(watch, events[i].data.fd, found);
  }
}

#endif
