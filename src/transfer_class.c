/* The Lua class of transfer.c: see annotations/curl.lua. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>

#include "arguments.h"
#include "classes.h"
#include "compat.h"
#include "system.h"
#include "response.h"

static const char TRANSFER_CLASS[] = "waba.Transfer";

#define CONNECT_TIMEOUT 10000L
#define MAX_BODY ((size_t)16 * 1024 * 1024)
#define MAX_SIZE ((curl_off_t)1 << 62)

/* The userdata of a transfer: the box. A box has a reference to the engine's struct, so Lua may collect the box and the
 * engine in any order.
 *
 * Creating a Lua value can run a finalizer of the program, and reading an option can run a metamethod. The finalizer or
 * metamethod can close the engine, which frees the transfer, or can start a transfer in this box. Afterwards no pointer
 * into the engine may be used. Therefore the data for Lua values is first moved into the box, and a transfer is taken
 * from the engine only after all arguments were read. */
struct transfer_box {
  struct engine *engine;
  struct transfer *transfer; /* NULL: the transfer has ended, and the engine has taken it back */
  bool has_result;           /* true: `result` was not returned to Lua yet */
  bool has_drained;          /* true: `drained` was not returned to Lua yet */
  bool delivering;           /* true: Lua values are being created from `result` or `drained` */
  struct response result;
  struct buffer drained;
  int body; /* the reference in the registry that keeps the body's string alive */
};

static void push_box(lua_State *L, struct engine *engine) {
  struct transfer_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  memset(box, 0, sizeof *box);
  box->body = LUA_NOREF;
  compat_setclass(L, TRANSFER_CLASS);
  box->engine = engine;
  engine_hold(engine);
}

static void check_unused(lua_State *L, const struct transfer_box *box, const struct engine *engine) {
  const bool is_empty = box->transfer == NULL && !box->has_result && !box->has_drained && !box->delivering;
  luaL_argcheck(L, is_empty && box->engine == engine, 5, "must be a transfer of this engine whose result was taken");
}

static void release_body(lua_State *L, struct transfer_box *box) {
  luaL_unref(L, LUA_REGISTRYINDEX, box->body);
  box->body = LUA_NOREF;
}

/* The body of a request. The strings of the body are on the Lua stack. */
struct body {
  enum source_kind kind;
  const char *bytes; /* the bytes, or the path of a file */
  size_t length;
  long long size; /* SOURCE_FED: the number of bytes; -1: unknown */
};

static void read_body(lua_State *L, int index, struct body *body) {
  const int type = lua_type(L, index);
  body->kind = SOURCE_NONE;
  body->size = -1;
  if (type <= LUA_TNIL) return;
  if (type == LUA_TSTRING) {
    body->kind = SOURCE_BYTES;
    body->bytes = lua_tolstring(L, index, &body->length);
    return;
  }
  luaL_argcheck(L, type == LUA_TTABLE, index, "the body must be a string or a table");
  body->bytes = arguments_text(L, index, "file");
  body->kind = body->bytes == NULL ? SOURCE_FED : SOURCE_FILE;
  if (body->kind == SOURCE_FED) arguments_size(L, index, "size", &body->size);
}

/* Returns false, with errno, if the file can't be opened. */
static bool open_source(struct source *source, const struct body *body) {
  if (body->kind == SOURCE_FILE) return source_open_file(source, body->bytes);
  if (body->kind == SOURCE_BYTES) source_open_bytes(source, body->bytes, body->length);
  if (body->kind == SOURCE_FED) source_open_fed(source, (curl_off_t)body->size);
  return true;
}

/* The time is at least 1, because libcurl reads 0 as no timeout. */
static long to_milliseconds(lua_Number seconds) {
  const lua_Number milliseconds = ceil(seconds * 1000);
  if (milliseconds < 1) return 1;
  return milliseconds > (lua_Number)(INT_MAX / 2) ? INT_MAX / 2 : (long)milliseconds;
}

/* Sets a time from the seconds at `index`; nil changes nothing. */
static void read_seconds(lua_State *L, int index, long *milliseconds) {
  if (lua_isnil(L, index)) return;
  const lua_Number seconds = luaL_checknumber(L, index);
  luaL_argcheck(L, seconds >= 0, index, "must not be negative");
  *milliseconds = to_milliseconds(seconds);
}

/* Sets the options that the table at `index` has. Pushes the values that must not be collected. */
static void read_options(lua_State *L, int index, struct transfer_options *options) {
  lua_Number number;
  if (arguments_number(L, index, "timeout", &number)) options->timeout = to_milliseconds(number);
  if (arguments_number(L, index, "connect_timeout", &number)) options->connect_timeout = to_milliseconds(number);
  if (arguments_number(L, index, "max_body", &number)) {
    options->max_body = number >= (lua_Number)(SIZE_MAX / 2) ? SIZE_MAX / 2 : (size_t)number;
  }
  if (arguments_number(L, index, "max_size", &number) && number < (lua_Number)options->max_size) {
    options->max_size = (curl_off_t)number;
  }
  options->save_as = arguments_text(L, index, "save_as");
  options->stream = arguments_flag(L, index, "stream");
  options->progress = arguments_flag(L, index, "progress");
  if (options->stream && options->save_as != NULL) luaL_error(L, "options 'stream' and 'save_as' can't be combined");
}

static const char no_source[] = "the file cannot be sent";

/* Takes a transfer from the engine and starts it; calls no Lua function. Returns NULL; or returns an error text and
 * changes nothing. If a file caused the error, errno is set. */
static const char *start(struct transfer_box *box, struct head *head, const struct body *body,
                         const struct transfer_options *options) {
  struct transfer *transfer = engine_take(box->engine, head);
  if (transfer == NULL) return HEAD_NO_MEMORY;
  const char *message = no_source;
  if (open_source(&transfer->source, body)) message = engine_start(box->engine, transfer, head, options);
  if (message == NULL) {
    box->transfer = transfer;
    transfer->owner = box;
    return NULL;
  }
  const int error = errno;
  engine_finish(box->engine, transfer);
  errno = error;
  return message;
}

int transfer_class_start(lua_State *L) {
  struct transfer_options options = {0, CONNECT_TIMEOUT, MAX_BODY, MAX_SIZE, NULL, NULL, false, false};
  struct body body;
  struct engine *engine = engine_class_get(L, 1);
  if (!engine_class_is_ready(L, engine)) {
    compat_pusherror(L, lua_tostring(L, -1));
    lua_pushliteral(L, "limit");
    return 3;
  }
  lua_settop(L, 8);
  read_body(L, 3, &body);
  if (!lua_isnil(L, 4)) {
    luaL_checktype(L, 4, LUA_TTABLE);
    read_options(L, 4, &options);
  }
  read_seconds(L, 7, &options.timeout);
  read_seconds(L, 8, &options.connect_timeout);
  if (!lua_isnil(L, 6)) {
    options.credentials = luaL_testudata(L, 6, CREDENTIALS_CLASS);
    luaL_argcheck(L, options.credentials != NULL, 6, "credentials must come from waba.core.credentials");
  }
  if (lua_isnil(L, 5)) {
    push_box(L, engine);
    lua_replace(L, 5);
  }
  struct transfer_box *box = compat_checkclass(L, 5, TRANSFER_CLASS);
  check_unused(L, box, engine);
  if (body.kind == SOURCE_BYTES) {
    release_body(L, box);
    lua_pushvalue(L, 3);
    box->body = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  /* Lua functions that ran while the arguments were read may have closed the engine, or started a transfer in this box.
   * From here on, no Lua function can run before the transfer has started. */
  if (!engine_class_is_ready(L, engine)) lua_error(L);
  struct head *head = head_class_check(L, 2, engine);
  check_unused(L, box, engine);
  const char *message = start(box, head, &body, &options);
  if (message == NULL) {
    lua_pushvalue(L, 5);
    lua_pushinteger(L, box->transfer->id);
    return 2;
  }
  if (message == no_source || message == transfer_no_file) {
    const char *path = message == no_source ? body.bytes : options.save_as;
    char text[SYSTEM_TEXT_SIZE];
    message = lua_pushfstring(L, "the file %s cannot be %s: %s", path, message == no_source ? "sent" : "written",
                              system_describe(errno, text));
  }
  release_body(L, box);
  return compat_pusherror(L, message);
}

void transfer_class_on_close(struct transfer *transfer) {
  struct transfer_box *box = transfer->owner;
  /* The program has read a part of the body and can't read the rest, so the response is incomplete. */
  if (transfer_wants(transfer) == WANT_DRAIN) transfer->end = END_CLOSED;
  box->result.is_brief = false;
  response_take(&box->result, transfer);
  box->transfer = NULL;
  box->has_result = true;
}

static struct transfer_box *check_box(lua_State *L) { return compat_checkclass(L, 1, TRANSFER_CLASS); }

static enum transfer_want want_of(const struct transfer_box *box) {
  if (box->has_drained) return WANT_DRAIN;
  if (box->transfer != NULL) return transfer_wants(box->transfer);
  return box->has_result ? WANT_FINISH : WANT_NOTHING;
}

/* Calls a function that creates Lua values from the contents of the box. If there is a memory error, leaves the box
 * unchanged and raises the error. [box ..] -> [box .. results]; returns the number of results. */
static int deliver(lua_State *L, struct transfer_box *box, lua_CFunction push) {
  const int top = lua_gettop(L);
  if (box->delivering) return luaL_error(L, "attempt to use a transfer while its result is taken");
  lua_pushcfunction(L, push);
  lua_pushvalue(L, 1);
  box->delivering = true;
  int status = lua_pcall(L, 1, LUA_MULTRET, 0);
  box->delivering = false;
  if (status != 0) return lua_error(L);
  return lua_gettop(L) - top;
}

/* [] -> [want] */
static void push_want(lua_State *L, enum transfer_want want) {
  static const char *const words[] = {NULL, "finished", "input", "drain", "progress"};
  lua_pushstring(L, words[want]); /* `lua_pushstring` pushes nil for NULL */
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
    engine_skip(engine, box->transfer);
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
  luaL_argcheck(L, box->transfer->source.kind != SOURCE_BYTES, 1,
                "its body is a string: expected a transfer whose body is fed");
  if (!source_feed(&box->transfer->source, bytes, length)) return luaL_error(L, "not enough memory");
  engine_resume(box->engine, box->transfer);
  return 0;
}

/* [box] -> [bytes] */
static int push_drained(lua_State *L) {
  const struct transfer_box *box = lua_touserdata(L, 1);
  return compat_bytes(L, box->drained.bytes, box->drained.length);
}

static int transfer_drain_method(lua_State *L) {
  struct transfer_box *box = check_box(L);
  if (!box->has_drained) {
    if (want_of(box) != WANT_DRAIN || !engine_check_process(box->engine)) return 0;
    buffer_swap(&box->drained, &box->transfer->sink.body);
    box->has_drained = true;
    engine_resume(box->engine, box->transfer);
  }
  int results = deliver(L, box, push_drained);
  box->has_drained = false;
  buffer_clear(&box->drained);
  return results;
}

static void push_size(lua_State *L, curl_off_t size) {
  if (size < 0) lua_pushnil(L);
  else compat_pushinteger(L, (long long)size);
}

static int transfer_progress_method(lua_State *L) {
  struct transfer_box *box = check_box(L);
  struct transfer *transfer = box->transfer;
  curl_off_t to_receive = -1;
  if (transfer == NULL) return luaL_error(L, "attempt to use a finished transfer");
  transfer->progress_sent = transfer->source.position;
  transfer->progress_received = transfer->sink.received;
  if (transfer->easy != NULL) curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &to_receive);
  /* Content-Length is the size of the compressed body. If `received`, which counts decoded bytes, is larger, the
   * decoded size is not known. */
  if (to_receive < transfer->sink.received) to_receive = -1;
  push_size(L, transfer_bytes_sent(transfer));
  push_size(L, transfer->source.size);
  push_size(L, transfer->sink.received);
  push_size(L, to_receive);
  return 4;
}

/* [box] -> [response] or [nil failure] */
static int push_result(lua_State *L) {
  const struct transfer_box *box = lua_touserdata(L, 1);
  return response_push(L, &box->result);
}

/* [transfer is-brief?] -> [response] or [nil failure] */
static int transfer_finish_method(lua_State *L) {
  struct transfer_box *box = check_box(L);
  struct transfer *transfer = box->transfer;
  if (!box->has_result) {
    if (transfer == NULL) return luaL_error(L, "attempt to use a finished transfer");
    if (transfer->state != TRANSFER_DONE) return luaL_error(L, "the transfer is still in flight");
    box->result.is_brief = lua_toboolean(L, 2);
    response_take(&box->result, transfer);
    box->has_result = true;
    box->has_drained = false;
    box->transfer = NULL;
    engine_finish(box->engine, transfer);
    release_body(L, box);
  }
  int results = deliver(L, box, push_result);
  box->has_result = false;
  response_clear(&box->result);
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
  if (engine == NULL || box->delivering) return 0;
  box->engine = NULL;
  box->transfer = NULL;
  box->has_result = false;
  box->has_drained = false;
  response_free(&box->result);
  buffer_free(&box->drained);
  if (transfer != NULL) {
    engine_check_process(engine);
    engine_finish(engine, transfer);
  }
  engine_release(engine);
  release_body(L, box);
  return 0;
}

static int transfer_tostring(lua_State *L) {
  const struct transfer_box *box = check_box(L);
  char text[ORIGIN_SIZE + 64] = "transfer (finished)";
  if (box->transfer != NULL) {
    const struct head *head = box->transfer->head;
    snprintf(text, sizeof text, "transfer %d (%.32s %s)", box->transfer->id, head->method, head->origin);
  }
  return compat_string(L, text);
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
