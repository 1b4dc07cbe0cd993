/* The Lua face of transfer.c, its options and bodies: see lua/waba/meta.lua. */
#include "transfer_class.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "arguments.h"
#include "compat.h"
#include "head_class.h"
#include "response.h"

static const char TRANSFER_CLASS[] = "waba.Transfer";

#define CONNECT_TIMEOUT 10000L
#define MAX_BODY ((size_t)16 * 1024 * 1024)

/* It holds the engine's shell, so that the two may be collected in any order. */
struct transfer_box {
  struct engine *engine;
  struct transfer *transfer; /* NULL: its result was taken, or it is `forsaken` */
  bool forsaken;             /* the engine was closed first */
  enum transfer_sent sent;   /* of a forsaken one */
  int body;                  /* registry reference that keeps the body's string alive */
};

/* Opens the source of the request's body: the value at `index`. NULL, or what is wrong; may push. */
static const char *open_source(lua_State *L, struct source *source, int index, int *reference) {
  int type = lua_type(L, index);
  size_t length;
  const char *text;
  lua_Number size = -1;
  if (type <= LUA_TNIL) return NULL;
  if (type == LUA_TSTRING) {
    text = lua_tolstring(L, index, &length);
    lua_pushvalue(L, index);
    *reference = luaL_ref(L, LUA_REGISTRYINDEX);
    source_open_bytes(source, text, length);
    return NULL;
  }
  text = arguments_text(L, index, "file");
  if (text != NULL) {
    if (source_open_file(source, text)) return NULL;
    return lua_pushfstring(L, "the file %s cannot be sent: %s", text, strerror(errno));
  }
  arguments_number(L, index, "size", &size);
  source_open_fed(source, (curl_off_t)size);
  return NULL;
}

/* Seconds as libcurl's milliseconds: never 0, which would mean "without end". */
static long to_milliseconds(lua_Number seconds) {
  lua_Number milliseconds = ceil(seconds * 1000);
  if (milliseconds < 1) return 1;
  return milliseconds > (lua_Number)(INT_MAX / 2) ? INT_MAX / 2 : (long)milliseconds;
}

static void read_options(lua_State *L, int index, struct transfer_options *options) {
  lua_Number number;
  if (arguments_number(L, index, "timeout", &number)) options->timeout = to_milliseconds(number);
  if (arguments_number(L, index, "connect_timeout", &number)) {
    options->connect_timeout = to_milliseconds(number);
  }
  if (arguments_number(L, index, "max_body", &number)) {
    options->max_body = number >= (lua_Number)(SIZE_MAX / 2) ? SIZE_MAX / 2 : (size_t)number;
  }
  options->save_as = arguments_text(L, index, "save_as");
  options->stream = arguments_flag(L, index, "stream");
  options->progress = arguments_flag(L, index, "progress");
  if (options->stream && options->save_as != NULL) {
    luaL_error(L, "options 'stream' and 'save_as' exclude each other");
  }
}

/* Everything that can raise stands before `engine_take`. */
static void check_body(lua_State *L, int index) {
  int type = lua_type(L, index);
  lua_Number size;
  if (type <= LUA_TNIL || type == LUA_TSTRING) return;
  luaL_argcheck(L, type == LUA_TTABLE, index, "the body must be a string or a table");
  arguments_text(L, index, "file");
  arguments_number(L, index, "size", &size);
}

static struct transfer_box *new_transfer_box(lua_State *L, struct engine *engine) {
  struct transfer_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->engine = NULL;
  box->transfer = NULL;
  box->forsaken = false;
  box->body = LUA_NOREF;
  compat_setclass(L, TRANSFER_CLASS);
  box->engine = engine;
  engine_hold(engine);
  return box;
}

/* Pushes a box for a transfer: the one at `index`, if that is one whose result was taken. */
static struct transfer_box *push_transfer_box(lua_State *L, struct engine *engine, int index) {
  struct transfer_box *box;
  if (lua_isnil(L, index)) return new_transfer_box(L, engine);
  box = compat_checkclass(L, index, TRANSFER_CLASS);
  luaL_argcheck(L, box->engine == engine && box->transfer == NULL, index, "cannot be used again");
  box->forsaken = false;
  lua_pushvalue(L, index);
  return box;
}

static void release_body(lua_State *L, struct transfer_box *box) {
  luaL_unref(L, LUA_REGISTRYINDEX, box->body);
  box->body = LUA_NOREF;
}

int transfer_class_start(lua_State *L, struct engine *engine) {
  struct head *head = head_class_check(L, 2, engine);
  struct transfer_options options = {0, CONNECT_TIMEOUT, MAX_BODY, NULL, false, false};
  struct transfer_box *box;
  struct transfer *transfer;
  const char *fault;
  check_body(L, 3);
  if (!lua_isnoneornil(L, 4)) {
    luaL_checktype(L, 4, LUA_TTABLE);
    read_options(L, 4, &options);
  }
  lua_settop(L, 5);
  box = push_transfer_box(L, engine, 5); /* 6 */
  transfer = engine_take(engine, head);
  if (transfer == NULL) return compat_pushfault(L, HEAD_NO_MEMORY);
  /* From here on the transfer belongs to the box, also when Lua raises an error. */
  box->transfer = transfer;
  transfer->owner = box;
  fault = open_source(L, &transfer->source, 3, &box->body);
  if (fault == NULL) fault = engine_start(engine, transfer, head, &options);
  if (fault == transfer_no_file) {
    fault = lua_pushfstring(L, "the file %s cannot be written: %s", options.save_as, strerror(errno));
  }
  if (fault != NULL) {
    box->transfer = NULL;
    engine_finish(engine, transfer);
    release_body(L, box);
    return compat_pushfault(L, fault);
  }
  lua_pushvalue(L, 6);
  lua_pushinteger(L, transfer->id);
  return 2;
}

void transfer_class_forsake(struct transfer *transfer) {
  struct transfer_box *box = transfer->owner;
  box->transfer = NULL;
  box->forsaken = true;
  box->sent = transfer_sent(transfer);
}

/* ---- Methods. ---- */

static struct transfer_box *check_box(lua_State *L) {
  return compat_checkclass(L, 1, TRANSFER_CLASS);
}

static enum transfer_want want_of(const struct transfer_box *box) {
  if (box->transfer != NULL) return transfer_wants(box->transfer);
  return box->forsaken ? WANT_FINISH : WANT_NOTHING;
}

static void push_want(lua_State *L, enum transfer_want want) {
  static const char *const words[] = {NULL, "finished", "input", "drain", "progress"};
  lua_pushstring(L, words[want]); /* nil for NULL */
}

static int transfer_wants_method(lua_State *L) {
  push_want(L, want_of(check_box(L)));
  return 1;
}

/* [transfer seconds?] -> [want others-ready] */
static int transfer_step_method(lua_State *L) {
  struct transfer_box *box = check_box(L);
  long long microseconds = lua_isnoneornil(L, 2) ? 0 : arguments_microseconds(L, 2);
  struct engine *engine = box->engine;
  bool others = false;
  if (box->transfer != NULL && engine_check_process(engine)) {
    engine_pump(engine);
    if (microseconds > 0 && !engine_has_ready(engine)) {
      engine_wait(engine, microseconds);
      engine_pump(engine);
    }
    engine_pass_over(engine, box->transfer);
    others = engine_has_ready(engine);
  }
  push_want(L, want_of(box));
  lua_pushboolean(L, others);
  return 2;
}

static int transfer_feed_method(lua_State *L) {
  struct transfer_box *box = check_box(L);
  size_t length = 0;
  const char *bytes = luaL_optlstring(L, 2, NULL, &length);
  if (box->transfer == NULL || !engine_check_process(box->engine)) return 0;
  luaL_argcheck(L, box->transfer->source.kind != SOURCE_BYTES, 1, "its body is not fed");
  if (!source_feed(&box->transfer->source, bytes, length)) return luaL_error(L, "not enough memory");
  engine_resume(box->engine, box->transfer);
  return 0;
}

static int transfer_drain_method(lua_State *L) {
  struct transfer_box *box = check_box(L);
  struct sink *sink;
  if (box->transfer == NULL || transfer_wants(box->transfer) != WANT_DRAIN) return 0;
  if (!engine_check_process(box->engine)) return 0;
  sink = &box->transfer->sink;
  lua_pushlstring(L, sink->body.bytes, sink->body.length);
  buffer_clear(&sink->body);
  engine_resume(box->engine, box->transfer);
  return 1;
}

static void push_size(lua_State *L, curl_off_t size) {
  if (size < 0) {
    lua_pushnil(L);
  } else {
    compat_pushinteger(L, (long long)size);
  }
}

static int transfer_progress_method(lua_State *L) {
  struct transfer_box *box = check_box(L);
  struct transfer *transfer = box->transfer;
  curl_off_t to_receive = -1;
  if (transfer == NULL) return luaL_error(L, "attempt to use a finished transfer");
  transfer->progress_sent = transfer->source.position;
  transfer->progress_received = transfer->sink.received;
  if (transfer->easy != NULL) {
    curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &to_receive);
  }
  /* What is announced counts before decompression. */
  if (to_receive < transfer->sink.received) to_receive = -1;
  push_size(L, transfer_bytes_sent(transfer));
  push_size(L, transfer->source.size);
  push_size(L, transfer->sink.received);
  push_size(L, to_receive);
  return 4;
}

static int transfer_finish_method(lua_State *L) {
  struct transfer_box *box = check_box(L);
  struct transfer *transfer = box->transfer;
  int results = 1;
  if (box->forsaken) {
    lua_pushnil(L);
    response_push_forsaken(L, box->sent);
    box->forsaken = false;
    return 2;
  }
  if (transfer == NULL) return luaL_error(L, "attempt to use a finished transfer");
  if (transfer->state != TRANSFER_DONE) return luaL_error(L, "the transfer is still in flight");
  if (transfer_succeeded(transfer)) {
    response_push(L, transfer);
  } else {
    lua_pushnil(L);
    response_push_failure(L, transfer);
    results = 2;
  }
  box->transfer = NULL;
  engine_finish(box->engine, transfer);
  release_body(L, box);
  return results;
}

static int transfer_cancel_method(lua_State *L) {
  struct transfer_box *box = check_box(L);
  if (box->transfer == NULL || !engine_check_process(box->engine)) return 0;
  engine_cancel(box->engine, box->transfer);
  return 0;
}

static int transfer_gc(lua_State *L) {
  struct transfer_box *box = check_box(L);
  struct engine *engine = box->engine;
  struct transfer *transfer = box->transfer;
  if (engine == NULL) return 0;
  box->engine = NULL;
  box->transfer = NULL;
  box->forsaken = false;
  if (transfer != NULL) {
    engine_check_process(engine);
    engine_finish(engine, transfer);
  }
  engine_release(engine);
  release_body(L, box);
  return 0;
}

static int transfer_tostring(lua_State *L) {
  struct transfer_box *box = check_box(L);
  if (box->transfer == NULL) {
    lua_pushliteral(L, "transfer (finished)");
  } else {
    lua_pushfstring(L, "transfer %d (%s %s)", box->transfer->id, box->transfer->head->method,
                    box->transfer->head->origin);
  }
  return 1;
}

static const luaL_Reg transfer_class[] = {
    {"wants", transfer_wants_method},
    {"step", transfer_step_method},
    {"feed", transfer_feed_method},
    {"drain", transfer_drain_method},
    {"progress", transfer_progress_method},
    {"finish", transfer_finish_method},
    {"cancel", transfer_cancel_method},
    {"__gc", transfer_gc},
    {"__close", transfer_gc},
    {"__tostring", transfer_tostring},
    {NULL, NULL},
};

void transfer_register(lua_State *L) { compat_newclass(L, TRANSFER_CLASS, transfer_class); }
