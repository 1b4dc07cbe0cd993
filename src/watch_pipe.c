/* Functions that the watches by epoll and by kqueue use: a pipe that wakes a watch, and the wait for several watches by
 * poll. */
#include "watch_state.h"

#if !defined(WABA_USE_POLL)

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

/* A pipe works on every system, unlike an eventfd or a user event. */
bool watch_open_pipe(int ends[2]) {
  if (pipe(ends) != 0) return false;
  for (int i = 0; i < 2; i++) {
    fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    fcntl(ends[i], F_SETFL, O_NONBLOCK);
  }
  return true;
}

void watch_empty_pipe(struct watch *watch) {
  char bytes[16];
  while (read(watch->wake[0], bytes, sizeof bytes) > 0) continue;
  watch->woken = false;
}

bool watch_wait_any(struct watch **watches, size_t count, int milliseconds) {
  struct pollfd *polled = malloc((count + 1) * sizeof *polled);
  if (polled == NULL) return false;
  for (size_t i = 0; i < count; i++) {
    watch_flush(watches[i]);
    polled[i] = (struct pollfd){watches[i]->descriptor, POLLIN, 0};
  }
  poll(polled, (nfds_t)count, milliseconds);
  free(polled);
  return true;
}

#endif
