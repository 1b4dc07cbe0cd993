/* Watches a set of sockets for readiness: epoll on Linux, kqueue on BSD and macOS, poll(2) on other systems (or with
 * -DWABA_USE_POLL). Pure C. The watch owns its descriptors and tables; the sockets belong to libcurl, and only
 * `watch_abandon` closes them. */
#ifndef WABA_WATCH_H
#define WABA_WATCH_H

#include <stdbool.h>
#include <stddef.h>

enum { WATCH_IN = 1, WATCH_OUT = 2, WATCH_ERROR = 4 };

struct watch;

/* Returns NULL, with errno, when the system refuses. */
struct watch *watch_new(void);

void watch_free(struct watch *watch);

/* The descriptor that becomes readable when a wanted socket is ready or after `watch_wake`; -1 with poll(2). */
int watch_descriptor(const struct watch *watch);

/* Sets the wanted events of a socket: WATCH_IN, WATCH_OUT, both, or 0. Takes effect at the next `watch_flush` or
 * `watch_wait`; 0 for a socket without `watch_opened` takes effect at once. Returns false when there is not enough
 * memory. */
bool watch_want(struct watch *watch, int socket, int events);

/* A socket between these two calls may stay registered while no event is wanted. The first returns false when there is
 * not enough memory. */
bool watch_opened(struct watch *watch, int socket);
void watch_closed(struct watch *watch, int socket);

/* Ignores WATCH_OUT of a socket, although it is wanted, until the socket is ready for another event. `watch_unmute`
 * ends this for all sockets. */
void watch_mute(struct watch *watch, int socket);
void watch_unmute(struct watch *watch);
bool watch_is_muting(const struct watch *watch);

/* Registers the changes with the system. Must be called before another caller waits for the descriptor. */
void watch_flush(struct watch *watch);

/* Waits until a socket is ready, the time is over (-1: no limit) or a signal arrives. */
void watch_wait(struct watch *watch, int milliseconds);

/* As `watch_wait`, until a socket of any of them is ready; `watch_wait` of each one finds which. Returns false when
 * there is not enough memory. */
bool watch_wait_any(struct watch **watches, size_t count, int milliseconds);

/* Takes the next socket that the last `watch_wait` found ready. Returns false when there is none. */
bool watch_next(struct watch *watch, int *socket, int *events);

/* Whether `watch_next` has returned false since the last `watch_wait`. */
bool watch_drained(const struct watch *watch);

/* Makes the descriptor, if there is one, readable until the next `watch_wait`. */
void watch_wake(struct watch *watch);

/* Closes all sockets of `watch_opened`, which does not end the connections, and frees the watch: for a child process
 * that shares them with its parent. */
void watch_abandon(struct watch *watch);

#endif
