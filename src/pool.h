/* All transfers of an engine: those that are idle, kept configured for the next request, and the queue of
 * those that want something. Pure C. The pool owns the transfers; it knows neither libcurl's multi handle
 * nor time. */
#ifndef WABA_POOL_H
#define WABA_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "transfer.h"

/* All zeros is an empty pool. */
struct pool {
  struct transfer **transfers; /* by id - 1; NULL where there is none */
  size_t size;
  struct transfer *idle;
  size_t idle_count;
  struct transfer **ready; /* a ring of `size` places */
  size_t ready_first;
  size_t ready_count;
};

/* Takes an idle transfer, preferably one that is configured for the head with this id; NULL if none is idle. */
struct transfer *pool_take(struct pool *pool, unsigned long long head);

/* The id for a new transfer; 0 when there is no memory. */
int pool_free_id(struct pool *pool);

/* Takes in a transfer with the id that `pool_free_id` gave. */
void pool_add(struct pool *pool, struct transfer *transfer);

/* Takes back a transfer whose state is IDLE; too many idle ones are freed. */
void pool_put(struct pool *pool, struct transfer *transfer);

/* Marks the idle transfers that are configured for the head with this id as not configured. */
void pool_unset_head(struct pool *pool, unsigned long long head);

/* The next transfer that is not idle; `*place` begins at 0. NULL at the end. */
struct transfer *pool_next(const struct pool *pool, size_t *place);

/* Queues a transfer that wants something, once. Whether it was queued. */
bool pool_make_ready(struct pool *pool, struct transfer *transfer);

/* Takes the next one from the queue that still wants something, or NULL. */
struct transfer *pool_next_ready(struct pool *pool);

/* Takes this transfer from the queue if it is the next one. */
void pool_pass_over(struct pool *pool, struct transfer *transfer);

/* Frees all transfers, none of which may be in a multi handle. */
void pool_clear(struct pool *pool);

#endif
