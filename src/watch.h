/* Watches a set of sockets until they are ready: by epoll on Linux, by kqueue on BSD and macOS, and by poll(2) on other
 * systems (or with -DWABA_USE_POLL). Pure C. The watch owns its descriptors and tables. The sockets belong to libcurl;
 * only `watch_abandon` closes them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { WATCH_IN = 1, WATCH_OUT = 2, WATCH_ERROR = 4 };

struct watch;

/* Returns NULL, with errno, if the system refuses descriptors or memory. */
struct watch *watch_new(void);

void watch_free(struct watch *watch);

/* Returns the descriptor that becomes readable when a wanted socket is ready or after `watch_wake`; -1 with poll(2). */
int watch_descriptor(const struct watch *watch);

/* Sets the wanted events of a socket: WATCH_IN, WATCH_OUT, both, or 0. The change takes effect at the next
 * `watch_flush` or `watch_wait`. If `events` is 0 and the socket was not passed to `watch_opened`, the change takes
 * effect at once. Returns false if there is not enough memory. */
bool watch_want(struct watch *watch, int socket, int events);

/* Between `watch_opened` and `watch_closed` a socket can stay registered although no event is wanted. `watch_opened`
 * returns false if there is not enough memory. */
bool watch_opened(struct watch *watch, int socket);
void watch_closed(struct watch *watch, int socket);

/* Ignores WATCH_OUT of a socket until the socket is ready for another event. `watch_unmute` no longer ignores WATCH_OUT
 * of any socket. */
void watch_mute(struct watch *watch, int socket);
void watch_unmute(struct watch *watch);
bool watch_is_muting(const struct watch *watch);

/* Registers the changes of the wanted events with the system. Must be called before another caller waits for the
 * descriptor. */
void watch_flush(struct watch *watch);

/* Waits until a socket is ready, the time is over (-1: no limit) or a signal arrives. */
void watch_wait(struct watch *watch, int milliseconds);

/* Waits until a socket of any of the watches is ready. After the wait, `watch_wait` must be called for each watch, and
 * finds the ready sockets of the watch. Returns false if there is not enough memory. */
bool watch_wait_any(struct watch **watches, size_t count, int milliseconds);

/* Takes the next socket that the last `watch_wait` found ready. Returns false if there is no further ready socket. */
bool watch_next(struct watch *watch, int *socket, int *events);

/* Returns whether `watch_next` has returned false since the last `watch_wait`. */
bool watch_drained(const struct watch *watch);

/* Makes the descriptor readable until the next `watch_wait`, if there is a descriptor. */
void watch_wake(struct watch *watch);

/* Closes the sockets that were passed to `watch_opened`, and frees the watch. Called in a child process. The parent
 * process has the same sockets, so closing them does not end the connections. */
void watch_abandon(struct watch *watch);
