/* All transfers of an engine. Idle transfers keep their configuration for the next request. A queue contains the
 * transfers that wait for their caller. Pure C. The pool owns the transfers. The pool does not use the multi handle or
 * the clock. */
#pragma once

#include "transfer.h"

/* A struct of zeros is empty. */
struct pool {
  struct transfer **transfers; /* the transfers at position id - 1; NULL: an unused id */
  size_t size;
  struct transfer *idle;
  size_t idle_count;
  struct transfer **ready; /* a ring buffer of `size` elements, in the memory of `transfers` */
  size_t ready_first;
  size_t ready_count;
};

/* Takes an idle transfer, preferably one that is configured for the head with this id; NULL if none is idle. */
struct transfer *pool_take(struct pool *pool, unsigned long long head);

/* Returns an unused id; 0 if there is not enough memory. */
int pool_free_id(struct pool *pool);

/* Adds a transfer whose id is from `pool_free_id`. */
void pool_add(struct pool *pool, struct transfer *transfer);

/* Takes back a transfer in the state IDLE. Frees the transfer if there are too many idle transfers. */
void pool_put(struct pool *pool, struct transfer *transfer);

/* Removes the head with this id from the configuration of the idle transfers. */
void pool_unset_head(struct pool *pool, unsigned long long head);

/* Iterates over the transfers that are not idle; `*place` must be 0 before the first call. Returns NULL at the end. */
struct transfer *pool_next(const struct pool *pool, size_t *place);

/* Adds a transfer to the queue if the transfer waits for its caller and is not in the queue. Returns whether the
 * transfer was added. */
bool pool_make_ready(struct pool *pool, struct transfer *transfer);

/* Removes transfers from the front of the queue up to the first transfer that still waits for its caller, and returns
 * this transfer. Returns NULL if no transfer waits. */
struct transfer *pool_next_ready(struct pool *pool);

/* Removes the transfer from the queue if the queue begins with this transfer. */
void pool_skip(struct pool *pool, struct transfer *transfer);

/* Frees all transfers. No transfer may be in the multi handle. */
void pool_clear(struct pool *pool);
