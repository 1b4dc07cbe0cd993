/* A watch by poll (any system): see watch_state.h. A watch by poll has no descriptor and cannot be woken. */
#include "watch_state.h"

#if defined(WABA_USE_POLL)

#include <poll.h>
#include <stdlib.h>

bool watch_system_open(struct watch *watch) {
  (void)watch;
  return true;
}

void watch_system_register(struct watch *watch, int socket, int before, int now) {
  (void)watch, (void)socket, (void)before, (void)now;
}

/* Writes the sockets with wanted events to `polled`; returns their number. */
static size_t list_wanted(const struct watch *watch, struct pollfd *polled) {
  size_t count = 0;
  for (size_t socket = 0; socket < watch->size; socket++) {
    int wanted = watch_registrable(&watch->entries[socket]);
    if (wanted == 0) continue;
    const short events = (short)((wanted & WATCH_IN ? POLLIN : 0) | (wanted & WATCH_OUT ? POLLOUT : 0));
    polled[count++] = (struct pollfd){(int)socket, events, 0};
  }
  return count;
}

void watch_system_wait(struct watch *watch, int milliseconds) {
  struct pollfd *polled = malloc((watch->size + 1) * sizeof *polled);
  if (polled == NULL) return;
  size_t count = list_wanted(watch, polled);
  if (poll(polled, (nfds_t)count, milliseconds) > 0) {
    for (size_t i = 0; i < count && watch->ready_count < WATCH_READY_SIZE; i++) {
      int flags = polled[i].revents;
      int found = (flags & POLLIN ? WATCH_IN : 0) | (flags & POLLOUT ? WATCH_OUT : 0);
      if (flags & (POLLERR | POLLHUP | POLLNVAL)) found |= WATCH_ERROR;
      if (found != 0) watch_found(watch, polled[i].fd, found);
    }
  }
  free(polled);
}

bool watch_wait_any(struct watch **watches, size_t count, int milliseconds) {
  size_t total = 1, i;
  for (i = 0; i < count; i++) total += watches[i]->size;
  struct pollfd *polled = malloc(total * sizeof *polled);
  if (polled == NULL) return false;
  total = 0;
  for (i = 0; i < count; i++) total += list_wanted(watches[i], polled + total);
  poll(polled, (nfds_t)total, milliseconds);
  free(polled);
  return true;
}

#endif
