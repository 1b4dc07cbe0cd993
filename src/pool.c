/* Manages the transfers of an engine: see pool.h. */
#include "pool.h"

#include <stdlib.h>
#include <string.h>

/* The largest number of idle transfers that are kept, and how many of them `pool_take` compares with a head. */
#define IDLE_MAX 64
#define IDLE_SEARCHED 8

struct transfer *pool_take(struct pool *pool, unsigned long long head) {
  struct transfer **place = &pool->idle;
  unsigned searched = 0;
  while (*place != NULL && (*place)->configured != head && ++searched < IDLE_SEARCHED) place = &(*place)->next;
  if (*place == NULL || searched == IDLE_SEARCHED) place = &pool->idle;
  struct transfer *transfer = *place;
  if (transfer == NULL) return NULL;
  *place = transfer->next;
  transfer->next = NULL;
  pool->idle_count--;
  return transfer;
}

/* Doubles the sizes of the array of transfers and of the queue. */
static bool grow(struct pool *pool) {
  const size_t size = pool->size == 0 ? 16 : pool->size * 2;
  struct transfer **transfers = calloc(2 * size, sizeof *transfers);
  if (transfers == NULL) return false;
  struct transfer **ready = transfers + size;
  for (size_t i = 0; i < pool->size; i++) transfers[i] = pool->transfers[i];
  for (size_t i = 0; i < pool->ready_count; i++) ready[i] = pool->ready[(pool->ready_first + i) % pool->size];
  free(pool->transfers);
  pool->transfers = transfers;
  pool->ready = ready;
  pool->ready_first = 0;
  pool->size = size;
  return true;
}

int pool_free_id(struct pool *pool) {
  size_t place = 0;
  while (place < pool->size && pool->transfers[place] != NULL) place++;
  if (place == pool->size && !grow(pool)) return 0;
  return (int)place + 1;
}

void pool_add(struct pool *pool, struct transfer *transfer) { pool->transfers[transfer->id - 1] = transfer; }

void pool_put(struct pool *pool, struct transfer *transfer) {
  /* A transfer that the queue still contains is not freed. */
  if (pool->idle_count >= IDLE_MAX && !transfer->queued) {
    pool->transfers[transfer->id - 1] = NULL;
    transfer_free(transfer);
    return;
  }
  transfer->next = pool->idle;
  pool->idle = transfer;
  pool->idle_count++;
}

void pool_unset_head(struct pool *pool, unsigned long long head) {
  for (struct transfer *transfer = pool->idle; transfer != NULL; transfer = transfer->next) {
    if (transfer->configured == head) transfer_unset_head(transfer);
  }
}

struct transfer *pool_next(const struct pool *pool, size_t *place) {
  while (*place < pool->size) {
    struct transfer *transfer = pool->transfers[(*place)++];
    if (transfer != NULL && transfer->state != TRANSFER_IDLE) return transfer;
  }
  return NULL;
}

bool pool_make_ready(struct pool *pool, struct transfer *transfer) {
  if (transfer->queued || transfer_wants(transfer) == WANT_NOTHING) return false;
  transfer->queued = true;
  pool->ready[(pool->ready_first + pool->ready_count) % pool->size] = transfer;
  pool->ready_count++;
  return true;
}

static struct transfer *take_ready(struct pool *pool) {
  struct transfer *transfer = pool->ready[pool->ready_first];
  pool->ready_first = (pool->ready_first + 1) % pool->size;
  pool->ready_count--;
  transfer->queued = false;
  return transfer;
}

void pool_skip(struct pool *pool, struct transfer *transfer) {
  if (pool->ready_count > 0 && pool->ready[pool->ready_first] == transfer) take_ready(pool);
}

struct transfer *pool_next_ready(struct pool *pool) {
  while (pool->ready_count > 0) {
    struct transfer *transfer = take_ready(pool);
    if (transfer_wants(transfer) != WANT_NOTHING) return transfer;
  }
  return NULL;
}

void pool_clear(struct pool *pool) {
  for (size_t place = 0; place < pool->size; place++) {
    struct transfer *transfer = pool->transfers[place];
    if (transfer == NULL) continue;
    transfer_release(transfer);
    transfer_free(transfer);
  }
  free(pool->transfers);
  memset(pool, 0, sizeof *pool);
}
