/* An engine is a curl multi handle with all its easy handles. An engine has one descriptor and one deadline. Pure C.
 * The engine owns its transfers. The Lua userdata of an engine, of a prepared head and of a transfer each have a
 * reference to the engine. `engine_hold` adds a reference, and `engine_release` removes a reference. The memory of an
 * engine is freed when the last reference is released. A closed engine has no handles and no transfers. No function of
 * this file may be called inside a callback of libcurl. */
#pragma once

#include "head.h"
#include "transfer.h"

struct engine;

struct engine_options {
  const char *ca_file;  /* copied; NULL: the certificates of the system */
  const char *proxy;    /* copied; NULL: the proxy of the environment variables */
  long max_connections; /* the largest number of connections per host */
  /* Called for each transfer with an owner before `engine_close` frees it. */
  void (*on_close)(struct transfer *transfer);
};

/* All times are in microseconds. */
#define ENGINE_NEVER 0x7fffffffffffffffLL

/* Returns an engine with one reference; NULL, with errno, if the system refuses descriptors or memory. */
struct engine *engine_new(const struct engine_options *options);

void engine_hold(struct engine *engine);
void engine_release(struct engine *engine);

bool engine_closed(const struct engine *engine);

/* Detects a fork. In a child process, ends the transfers in flight and opens new handles; nothing is sent on the
 * connections of the parent. Must be called before every other function that uses the handles, except `engine_close`,
 * which calls this function itself. Returns false if the engine is closed, or if the system refuses new handles. If the
 * system refuses new handles, errno is set, and the next call tries again. */
bool engine_check_process(struct engine *engine);

/* Returns an idle transfer, preferably one that is configured for this head; NULL if there is not enough memory.
 * `engine_finish` takes the transfer back, even if it was not started. */
struct transfer *engine_take(struct engine *engine, const struct head *head);

/* Configures a transfer that `engine_take` has returned and whose source is open, and starts it. Returns NULL, or a
 * static error message. */
const char *engine_start(struct engine *engine, struct transfer *transfer, struct head *head,
                         const struct transfer_options *options);

/* Ends a transfer that is in flight. */
void engine_cancel(struct engine *engine, struct transfer *transfer);

/* Ends the transfer if necessary, and takes the transfer back into the pool. */
void engine_finish(struct engine *engine, struct transfer *transfer);

/* Continues a transfer that was paused and now has input or space. If the transfer still waits for its caller, adds it
 * to the queue of `engine_ready`. */
void engine_resume(struct engine *engine, struct transfer *transfer);

/* Sets the id of a new head. Must be called before the first use of the head, and before the head is dropped. */
void engine_add_head(struct engine *engine, struct head *head);

/* Must be called when the Lua userdata no longer uses the head. */
void engine_drop_head(struct engine *engine, struct head *head);

/* Continues all transfers as far as possible without waiting. */
void engine_pump(struct engine *engine);

/* Sends the requests that were started. Does not read the events of the engine's descriptor, because another caller can
 * wait for the events. */
void engine_dispatch(struct engine *engine);

/* Takes the next transfer that waits for its caller from the queue; NULL if the queue has no such transfer. */
struct transfer *engine_ready(struct engine *engine);

/* Removes the transfer from the queue if the queue begins with this transfer. */
void engine_skip(struct engine *engine, struct transfer *transfer);

/* Returns false if `engine_ready` would return NULL. */
bool engine_has_ready(const struct engine *engine);

size_t engine_in_flight(const struct engine *engine);

/* Returns the descriptor of the engine; -1 if the system offers only poll(2). */
int engine_descriptor(struct engine *engine);

/* Returns the time until `engine_pump` must be called even if the descriptor is not readable, or ENGINE_NEVER. The
 * descriptor becomes readable if the deadline moves to an earlier time. */
long long engine_timeout(struct engine *engine);

/* Waits until a socket is ready, until the engine's deadline, until the time is over, or until a signal arrives. */
void engine_wait(struct engine *engine, long long microseconds);

/* Does the same as `engine_wait` for several engines. Returns false if there is not enough memory. */
bool engine_wait_any(struct engine **engines, size_t count, long long microseconds);

/* Ends the transfers in flight and frees all handles. Can be repeated. */
void engine_close(struct engine *engine);
