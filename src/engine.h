/* One curl multi handle with all its easy handles, behind one descriptor and one deadline. Pure C.
 * The engine owns its transfers. A holder of `struct engine *` (the Lua userdata of the engine, of a
 * prepared head, of a transfer) takes part in it by `engine_hold` and `engine_release`; after
 * `engine_close` the struct is only a shell. No function may be called inside a callback of libcurl. */
#ifndef WABA_ENGINE_H
#define WABA_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

#include "head.h"
#include "transfer.h"

struct engine;

struct engine_options {
  const char *ca_file;  /* copied; NULL: the system's authorities */
  const char *proxy;    /* copied; NULL: as the environment says */
  long max_connections; /* per host */
  /* Called when a transfer with an owner vanishes because the engine is closed. */
  void (*forsaken)(struct transfer *transfer);
};

/* All times are microseconds. */
#define ENGINE_NEVER 0x7fffffffffffffffLL

/* Holds the engine once. NULL, with errno, when the system refuses. */
struct engine *engine_new(const struct engine_options *options);

void engine_hold(struct engine *engine);
void engine_release(struct engine *engine);

bool engine_closed(const struct engine *engine);

/* Notices a fork: in a child process the transfers in flight end, and new handles are opened without a
 * word to the parent's peers. To be called first by whatever goes on to use the engine; `engine_close`
 * does it by itself. False when the engine is closed; and, with errno, when the system refuses new handles:
 * the next call tries again. */
bool engine_check_process(struct engine *engine);

/* Gives an idle transfer, if possible one that ran with this head before, or NULL when there is no
 * memory. It comes back by `engine_finish`, whether it was started or not. */
struct transfer *engine_take(struct engine *engine, const struct head *head);

/* Configures a taken transfer, whose source is already open, and starts it. NULL, or what is wrong. */
const char *engine_start(struct engine *engine, struct transfer *transfer, struct head *head,
                         const struct transfer_options *options);

/* Ends a transfer that moves; nothing happens to one that does not. */
void engine_cancel(struct engine *engine, struct transfer *transfer);

/* Ends a transfer if it moves, and takes it back. */
void engine_finish(struct engine *engine, struct transfer *transfer);

/* Lets a transfer go on that was paused for want of input or of room, and looks again at what it
 * wants. */
void engine_resume(struct engine *engine, struct transfer *transfer);

/* Sets the id of a new head. Call it before the head is started or dropped. */
void engine_add_head(struct engine *engine, struct head *head);

/* The maker of a head lets go of it. */
void engine_drop_head(struct engine *engine, struct head *head);

/* Moves everything that can move. Never waits. */
void engine_pump(struct engine *engine);

/* Sends off what was started, while somebody else may wait for the engine and goes on to hear of it. */
void engine_dispatch(struct engine *engine);

/* The next transfer that wants something, or NULL. */
struct transfer *engine_ready(struct engine *engine);

/* `engine_ready` does not give this transfer, if it would be the next one. */
void engine_pass_over(struct engine *engine, struct transfer *transfer);

/* False: `engine_ready` would give NULL. */
bool engine_has_ready(const struct engine *engine);

size_t engine_in_flight(const struct engine *engine);

/* The one descriptor; -1 where the system offers only poll(2). */
int engine_descriptor(struct engine *engine);

/* When `engine_pump` is due without readiness: microseconds from now, or ENGINE_NEVER. Whoever asks is
 * taken to wait that long: if something is due earlier, the descriptor becomes readable. */
long long engine_timeout(struct engine *engine);

/* Waits until there is work, the engine's own deadline or the time are over, or a signal arrives. */
void engine_wait(struct engine *engine, long long microseconds);

/* The same for several. False when there is no memory. */
bool engine_wait_any(struct engine **engines, size_t count, long long microseconds);

/* Cancels what is in flight, frees all handles. Harmless when repeated. */
void engine_close(struct engine *engine);

#endif
