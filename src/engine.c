/* Creates and closes engines, and starts and ends transfers: see engine.h. */
#include "engine.h"

#include <errno.h>
#include <stdlib.h>

#include "engine_state.h"
#include "text.h"

static bool copy_text(char **copied, const char *text) {
  *copied = text == NULL ? NULL : text_copy(text, strlen(text));
  return text == NULL || *copied != NULL;
}

static void free_engine(struct engine *engine) {
  char *const proxy = engine->settings.proxy;
  if (proxy != NULL) text_wipe(proxy, strlen(proxy));
  free(proxy);
  free(engine->settings.ca_file);
  engine_free_page(engine);
  free(engine);
}

struct engine *engine_new(const struct engine_options *options) {
  struct engine *engine = calloc(1, sizeof *engine);
  if (engine == NULL) return NULL;
  engine->references = 1;
  engine->max_connections = options->max_connections;
  engine->on_close = options->on_close;
  errno = ENOMEM;
  if (copy_text(&engine->settings.ca_file, options->ca_file) && copy_text(&engine->settings.proxy, options->proxy)) {
    errno = 0;
    if (engine_open_handles(engine)) return engine;
  }
  const int error = errno;
  free_engine(engine);
  errno = error;
  return NULL;
}

void engine_hold(struct engine *engine) { engine->references++; }

void engine_release(struct engine *engine) {
  if (--engine->references > 0) return;
  engine_close(engine);
  free_engine(engine);
}

bool engine_closed(const struct engine *engine) { return engine->closed; }

struct transfer *engine_ready(struct engine *engine) { return pool_next_ready(&engine->pool); }

void engine_skip(struct engine *engine, struct transfer *transfer) { pool_skip(&engine->pool, transfer); }

bool engine_has_ready(const struct engine *engine) { return engine->pool.ready_count > 0; }

struct transfer *engine_take(struct engine *engine, const struct head *head) {
  struct transfer *transfer = pool_take(&engine->pool, head->id);
  if (transfer == NULL) {
    const int id = pool_free_id(&engine->pool);
    if (id != 0) transfer = transfer_new(engine, id, &engine->settings, &engine->streams);
    if (transfer != NULL) pool_add(&engine->pool, transfer);
  } else if (transfer->easy == NULL && !transfer_open_easy(transfer, &engine->settings)) {
    /* The transfer had no easy handle, because its last one was discarded or belonged to the parent process. */
    pool_put(&engine->pool, transfer);
    return NULL;
  }
  return transfer;
}

/* Returns whether the transfer may have to call a Lua function before it ends. */
static bool is_interactive(const struct transfer *transfer) {
  return transfer->progress || transfer->source.kind == SOURCE_FED || transfer->sink.kind == SINK_STREAM;
}

const char *engine_start(struct engine *engine, struct transfer *transfer, struct head *head,
                         const struct transfer_options *options) {
  const char *message = transfer_configure(transfer, head, options);
  if (message != NULL) return message;
  transfer->state = TRANSFER_MOVING;
  transfer->deadline = ENGINE_NEVER;
  if (curl_multi_add_handle(engine->multi, transfer->easy) != CURLM_OK) {
    transfer_complete(transfer, END_BY_CURL, CURLE_OUT_OF_MEMORY);
    return HEAD_NO_MEMORY;
  }
  engine->in_flight++;
  if (is_interactive(transfer)) engine->interactive++;
  if (options->timeout > 0) {
    transfer->deadline = engine_now() + options->timeout * 1000LL;
    if (transfer->deadline + ENGINE_GRACE < engine->sweep) {
      engine->sweep = transfer->deadline + ENGINE_GRACE;
      engine_wake_at(engine, engine->sweep);
    }
  }
  return NULL;
}

void engine_end(struct engine *engine, struct transfer *transfer, enum transfer_end end, CURLcode code) {
  curl_multi_remove_handle(engine->multi, transfer->easy);
  engine->in_flight--;
  if (is_interactive(transfer)) engine->interactive--;
  transfer_complete(transfer, end, code);
  engine_make_ready(engine, transfer);
}

void engine_cancel(struct engine *engine, struct transfer *transfer) {
  if (transfer->state == TRANSFER_MOVING) engine_end(engine, transfer, END_CANCELLED, CURLE_OK);
}

void engine_finish(struct engine *engine, struct transfer *transfer) {
  engine_cancel(engine, transfer);
  transfer_release(transfer);
  pool_put(&engine->pool, transfer);
}

void engine_resume(struct engine *engine, struct transfer *transfer) {
  struct source *source = &transfer->source;
  struct sink *sink = &transfer->sink;
  const bool moving = transfer->state == TRANSFER_MOVING;
  const bool has_input = source->paused && source_has_input(source), has_space = sink->paused && sink->body.length == 0;
  if (moving && source->error != SOURCE_OK) {
    engine_end(engine, transfer, END_BY_CURL, CURLE_ABORTED_BY_CALLBACK);
  } else if (moving && (has_input || has_space)) {
    if (has_input) source->paused = false;
    if (has_space) sink->paused = false;
    const int still = (sink->paused ? CURLPAUSE_RECV : 0) | (source->paused ? CURLPAUSE_SEND : 0);
    CURLcode code = curl_easy_pause(transfer->easy, still);
    if (code != CURLE_OK) engine_end(engine, transfer, END_BY_CURL, code);
  }
  engine_make_ready(engine, transfer);
}

void engine_add_head(struct engine *engine, struct head *head) { head->id = ++engine->last_head; }

void engine_drop_head(struct engine *engine, struct head *head) {
  pool_unset_head(&engine->pool, head->id);
  head_drop(head);
}

size_t engine_in_flight(const struct engine *engine) { return engine->in_flight; }

void engine_close(struct engine *engine) {
  if (engine->closed) return;
  engine->closed = true;
  if (engine->multi != NULL && !engine_is_own(engine)) engine_abandon(engine);
  for (size_t place = 0; place < engine->pool.size; place++) {
    struct transfer *transfer = engine->pool.transfers[place];
    if (transfer == NULL) continue;
    if (transfer->state == TRANSFER_MOVING) engine_end(engine, transfer, END_CLOSED, CURLE_OK);
    if (transfer->owner != NULL) engine->on_close(transfer);
  }
  pool_clear(&engine->pool);
  engine_free_handles(engine);
}
