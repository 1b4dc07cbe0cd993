/* Manages the table of watched sockets: see watch.h. */
#include "watch_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Enlarges the tables for a socket number. `changes` has space for all entries. */
static bool watch_reserve(struct watch *watch, int socket) {
  size_t size = watch->size < 64 ? 64 : watch->size;
  if ((size_t)socket < watch->size) return true;
  while (size <= (size_t)socket) size *= 2;
  struct watch_entry *entries = realloc(watch->entries, size * sizeof *entries);
  if (entries == NULL) return false;
  watch->entries = entries;
  int *changes = realloc(watch->changes, size * sizeof *changes);
  if (changes == NULL) return false;
  watch->changes = changes;
  memset(entries + watch->size, 0, (size - watch->size) * sizeof *entries);
  watch->size = size;
  return true;
}

struct watch *watch_new(void) {
  struct watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL) return NULL;
  watch->descriptor = watch->wake[0] = watch->wake[1] = -1;
  if (!watch_system_open(watch)) {
    int error = errno;
    watch_free(watch);
    errno = error;
    return NULL;
  }
  return watch;
}

void watch_free(struct watch *watch) {
  close(watch->descriptor); /* has no effect for -1 */
  close(watch->wake[0]);
  close(watch->wake[1]);
  free(watch->entries);
  free(watch->changes);
  free(watch);
}

int watch_descriptor(const struct watch *watch) { return watch->descriptor; }

static void watch_register(struct watch *watch, int socket) {
  struct watch_entry *entry = &watch->entries[socket];
  int asked = watch_registrable(entry);
  if (entry->registered == asked) return;
  watch_system_register(watch, socket, entry->registered, asked);
  entry->registered = (unsigned char)asked;
}

static void watch_change(struct watch *watch, int socket) {
  struct watch_entry *entry = &watch->entries[socket];
  if (entry->changed || watch_registrable(entry) == entry->registered) return;
  entry->changed = true;
  watch->changes[watch->change_count++] = socket;
}

static void watch_set_muted(struct watch *watch, int socket, bool muted) {
  struct watch_entry *entry = &watch->entries[socket];
  if (entry->muted == muted) return;
  entry->muted = muted;
  watch->muted += muted ? 1 : -(size_t)1;
  watch_change(watch, socket);
}

bool watch_want(struct watch *watch, int socket, int events) {
  if (!watch_reserve(watch, socket)) return false;
  struct watch_entry *entry = &watch->entries[socket];
  entry->wanted = (unsigned char)events;
  if (events == 0 && !entry->open) {
    /* Before the next flush the socket can be closed, and a new socket can get the number of the closed socket. */
    watch_register(watch, socket);
  } else {
    watch_change(watch, socket);
  }
  return true;
}

bool watch_opened(struct watch *watch, int socket) {
  if (!watch_reserve(watch, socket)) return false;
  watch_closed(watch, socket);
  watch->entries[socket].open = true;
  return true;
}

void watch_closed(struct watch *watch, int socket) {
  if ((size_t)socket >= watch->size) return;
  struct watch_entry *entry = &watch->entries[socket];
  /* The system has removed the socket from its set, because the socket was closed. `changed` is not reset, because
   * `changes` may contain the socket. */
  entry->wanted = 0;
  entry->registered = 0;
  entry->open = false;
  watch_set_muted(watch, socket, false);
}

void watch_mute(struct watch *watch, int socket) { watch_set_muted(watch, socket, true); }

void watch_unmute(struct watch *watch) {
  for (size_t socket = 0; socket < watch->size && watch->muted > 0; socket++) {
    watch_set_muted(watch, (int)socket, false);
  }
}

bool watch_is_muting(const struct watch *watch) { return watch->muted > 0; }

void watch_flush(struct watch *watch) {
  for (size_t i = 0; i < watch->change_count; i++) {
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
  watch_system_wait(watch, milliseconds);
}

bool watch_next(struct watch *watch, int *socket, int *events) {
  while (watch->ready_taken < watch->ready_count) {
    const struct watch_ready *ready = &watch->ready[watch->ready_taken++];
    if (watch->entries[ready->socket].wanted != 0) {
      watch_set_muted(watch, ready->socket, false);
      *socket = ready->socket;
      *events = ready->events;
      return true;
    }
    /* A socket stays registered while its connection is idle, because this saves two system calls for each request. An
     * event of an idle connection means that the peer has closed the connection. */
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

void watch_abandon(struct watch *watch) {
  for (size_t socket = 0; socket < watch->size; socket++) {
    if (watch->entries[socket].open) close((int)socket);
  }
#if defined(WABA_USE_KQUEUE)
  /* A child process does not inherit a kqueue, so another file can have the number of the descriptor. */
  watch->descriptor = -1;
#endif
  watch_free(watch);
}
