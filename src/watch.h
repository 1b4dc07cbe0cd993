/* A set of sockets watched for readiness: epoll on Linux, kqueue on BSD and macOS, poll(2) elsewhere (or
 * with -DWABA_USE_POLL). Pure C. The watch owns its own descriptors and tables; the sockets belong to
 * libcurl, only `watch_abandon` closes them. */
#ifndef WABA_WATCH_H
#define WABA_WATCH_H

#include <stdbool.h>
#include <stddef.h>

enum { WATCH_IN = 1, WATCH_OUT = 2, WATCH_ERROR = 4 };

struct watch;

/* NULL, with errno, when the system refuses. */
struct watch *watch_new(void);

void watch_free(struct watch *watch);

/* The one descriptor that becomes readable when a wanted socket is ready or after `watch_wake`; -1
 * where the system offers only poll(2). */
int watch_descriptor(const struct watch *watch);

/* Says for what a socket is wanted: WATCH_IN, WATCH_OUT, both, or 0 for nothing. Takes effect at the
 * next `watch_flush` or `watch_wait`, except that a socket never announced by `watch_opened` is let go
 * at once. False when there is no memory. */
bool watch_want(struct watch *watch, int socket, int events);

/* The life of a socket: announced here, it may stay registered while nothing wants it. */
bool watch_opened(struct watch *watch, int socket);
void watch_closed(struct watch *watch, int socket);

/* Does not look for room to write to this socket, although it is wanted, until it is ready to be read or
 * `watch_unmute` is called, which ends all muting. */
void watch_mute(struct watch *watch, int socket);
void watch_unmute(struct watch *watch);
bool watch_is_muting(const struct watch *watch);

/* Tells the system what has changed. To be called before somebody else waits for the descriptor. */
void watch_flush(struct watch *watch);

/* Waits until a socket is ready, `milliseconds` are over (-1: for ever) or a signal arrives. */
void watch_wait(struct watch *watch, int milliseconds);

/* Waits for the first of several in the same way; what is ready is found by each one's `watch_wait`.
 * False when there is no memory. */
bool watch_wait_any(struct watch **watches, size_t count, int milliseconds);

/* Takes the next ready socket that the last `watch_wait` found. */
bool watch_next(struct watch *watch, int *socket, int *events);

/* Whether `watch_wait` found nothing since the last `watch_next` that returned false. */
bool watch_drained(const struct watch *watch);

/* Makes the descriptor readable until the next `watch_wait`. Does nothing without a descriptor. */
void watch_wake(struct watch *watch);

/* Closes every announced socket without a word to its peer, and frees the watch: for a child process
 * that shares them with its parent. */
void watch_abandon(struct watch *watch);

#endif
