/* luaopen_waba_curl: the engine, prepared heads and transfers as Lua userdata; lua/waba/meta.lua
 * describes their face. Everything below this file knows no Lua, and nothing here is called by libcurl. */
#include <errno.h>
#include <limits.h>
#include <lua.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "alarm.h"
#include "compat.h"
#include "engine.h"
#include "request.h"
#include "response.h"

#define ENGINE_CLASS "waba.Engine"
#define HEAD_CLASS "waba.PreparedHead"
#define TRANSFER_CLASS "waba.Transfer"
#define ALARM_CLASS "waba.Alarm"

#define MAX_CONNECTIONS 16
#define CONNECT_TIMEOUT 10000L
#define MAX_BODY ((size_t)16 * 1024 * 1024)

/* The userdata. Each holds the engine's shell, so that they may be collected in any order. */

struct engine_box {
  struct engine *engine; /* NULL before it is made and after __gc */
};

struct head_box {
  struct engine *engine;
  struct head *head;
};

struct transfer_box {
  struct engine *engine;
  struct transfer *transfer; /* NULL: its result was taken, or it is `forsaken` */
  bool forsaken;             /* the engine was closed first */
  enum transfer_sent sent;   /* of a forsaken one */
  int body;                  /* registry reference that keeps the body's string alive */
};

/* Pushes nil and a message. */
static int fail(lua_State *L, const char *message) {
  lua_pushnil(L);
  lua_pushstring(L, message);
  return 2;
}

/* ---- Arguments. ---- */

static struct engine *check_engine(lua_State *L, int index) {
  struct engine_box *box = luaL_checkudata(L, index, ENGINE_CLASS);
  if (box->engine == NULL || engine_closed(box->engine)) {
    luaL_error(L, "attempt to use a closed engine");
  }
  return box->engine;
}

/* For what goes on to use libcurl. */
static struct engine *check_running_engine(lua_State *L, int index) {
  struct engine *engine = check_engine(L, index);
  if (!engine_check_process(engine)) {
    luaL_error(L, "the engine can't go on in a child process: %s", strerror(errno));
  }
  return engine;
}

static const char *check_optional_text(lua_State *L, int table, const char *name) {
  const char *text = NULL;
  size_t length;
  lua_getfield(L, table, name);
  if (!lua_isnil(L, -1)) {
    if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "option '%s' must be a string", name);
    text = lua_tolstring(L, -1, &length);
    if (strlen(text) != length) luaL_error(L, "option '%s' contains a NUL", name);
  }
  lua_pop(L, 1); /* the table keeps it alive */
  return text;
}

static bool check_optional_number(lua_State *L, int table, const char *name, lua_Number *number) {
  bool given;
  lua_getfield(L, table, name);
  given = !lua_isnil(L, -1);
  if (given) {
    if (lua_type(L, -1) != LUA_TNUMBER) luaL_error(L, "option '%s' must be a number", name);
    *number = lua_tonumber(L, -1);
    if (!(*number >= 0)) luaL_error(L, "option '%s' must not be negative", name);
  }
  lua_pop(L, 1);
  return given;
}

static bool check_optional_flag(lua_State *L, int table, const char *name) {
  bool flag;
  lua_getfield(L, table, name);
  flag = lua_toboolean(L, -1) != 0;
  lua_pop(L, 1);
  return flag;
}

/* Seconds as libcurl's milliseconds: never 0, which would mean "without end". */
static long to_milliseconds(lua_Number seconds) {
  lua_Number milliseconds = ceil(seconds * 1000);
  if (milliseconds < 1) return 1;
  return milliseconds > (lua_Number)(INT_MAX / 2) ? INT_MAX / 2 : (long)milliseconds;
}

static long long check_microseconds(lua_State *L, int index) {
  lua_Number seconds = luaL_checknumber(L, index);
  if (!(seconds > 0)) return 0;
  return seconds > 1e9 ? (long long)1e15 : (long long)(seconds * 1e6);
}

/* ---- Engine. ---- */

static void forsake(struct transfer *transfer) {
  struct transfer_box *box = transfer->owner;
  box->transfer = NULL;
  box->forsaken = true;
  box->sent = transfer_sent(transfer);
}

static int curl_engine(lua_State *L) {
  struct engine_options options = {NULL, NULL, MAX_CONNECTIONS, forsake};
  struct engine_box *box;
  lua_Number connections;
  if (!lua_isnoneornil(L, 1)) {
    luaL_checktype(L, 1, LUA_TTABLE);
    options.ca_file = check_optional_text(L, 1, "ca_file");
    options.proxy = check_optional_text(L, 1, "proxy");
    if (check_optional_number(L, 1, "max_connections", &connections)) {
      luaL_argcheck(L, connections >= 1 && connections <= 10000, 1,
                    "max_connections must be from 1 to 10000");
      options.max_connections = (long)connections;
    }
  }
  box = lua_newuserdatauv(L, sizeof *box, 0);
  box->engine = NULL;
  luaL_setmetatable(L, ENGINE_CLASS);
  box->engine = engine_new(&options);
  if (box->engine == NULL) return fail(L, strerror(errno));
  return 1;
}

static const char *add_headers(lua_State *L, struct head *head, int table) {
  const char *fault = NULL;
  lua_pushnil(L);
  while (fault == NULL && lua_next(L, table) != 0) { /* [name value] */
    size_t name_length, value_length;
    const char *name, *value;
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING) {
      return "headers: names and values must be strings";
    }
    name = lua_tolstring(L, -2, &name_length);
    value = lua_tolstring(L, -1, &value_length);
    fault = head_add(head, name, name_length, value, value_length);
    if (fault != NULL) return lua_pushfstring(L, "header '%s': %s", name, fault);
    lua_pop(L, 1);
  }
  return fault;
}

/* [engine request-head] -> [prepared-head] or [nil message] */
static int engine_prepare_(lua_State *L) {
  struct engine *engine = check_engine(L, 1);
  struct credentials *credentials = NULL;
  const char *method, *url, *fault;
  size_t method_length, url_length;
  struct head_box *box;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_getfield(L, 2, "method");      /* 3 */
  lua_getfield(L, 2, "url");         /* 4 */
  lua_getfield(L, 2, "headers");     /* 5 */
  lua_getfield(L, 2, "credentials"); /* 6 */
  lua_getfield(L, 2, "idempotent");  /* 7 */
  luaL_argcheck(L, lua_type(L, 3) == LUA_TSTRING, 2, "method must be a string");
  luaL_argcheck(L, lua_type(L, 4) == LUA_TSTRING, 2, "url must be a string");
  luaL_argcheck(L, lua_istable(L, 5) || lua_isnil(L, 5), 2, "headers must be a table");
  if (!lua_isnil(L, 6)) {
    credentials = luaL_testudata(L, 6, CREDENTIALS_CLASS);
    luaL_argcheck(L, credentials != NULL, 2, "credentials must come from waba.core.credentials");
  }
  method = lua_tolstring(L, 3, &method_length);
  url = lua_tolstring(L, 4, &url_length);
  box = lua_newuserdatauv(L, sizeof *box, 0); /* 8 */
  box->engine = NULL;
  box->head = NULL;
  luaL_setmetatable(L, HEAD_CLASS);
  box->head = head_new(method, method_length, url, url_length, lua_toboolean(L, 7) != 0, &fault);
  if (box->head == NULL) return fail(L, fault);
  box->engine = engine;
  engine_hold(engine);
  if (lua_istable(L, 5)) fault = add_headers(L, box->head, 5);
  if (fault == NULL && credentials != NULL) fault = head_add_credentials(box->head, credentials);
  if (fault == NULL) fault = head_complete(box->head);
  if (fault != NULL) return fail(L, fault);
  lua_pushvalue(L, 8);
  return 1;
}

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
  text = check_optional_text(L, index, "file");
  if (text != NULL) {
    if (source_open_file(source, text)) return NULL;
    return lua_pushfstring(L, "the file %s cannot be sent: %s", text, strerror(errno));
  }
  check_optional_number(L, index, "size", &size);
  source_open_fed(source, (curl_off_t)size);
  return NULL;
}

static void read_options(lua_State *L, int index, struct transfer_options *options) {
  lua_Number number;
  if (check_optional_number(L, index, "timeout", &number)) options->timeout = to_milliseconds(number);
  if (check_optional_number(L, index, "connect_timeout", &number)) {
    options->connect_timeout = to_milliseconds(number);
  }
  if (check_optional_number(L, index, "max_body", &number)) {
    options->max_body = number >= (lua_Number)(SIZE_MAX / 2) ? SIZE_MAX / 2 : (size_t)number;
  }
  options->save_as = check_optional_text(L, index, "save_as");
  options->stream = check_optional_flag(L, index, "stream");
  options->progress = check_optional_flag(L, index, "progress");
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
  check_optional_text(L, index, "file");
  check_optional_number(L, index, "size", &size);
}

static struct transfer_box *new_transfer_box(lua_State *L, struct engine *engine) {
  struct transfer_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->engine = NULL;
  box->transfer = NULL;
  box->forsaken = false;
  box->body = LUA_NOREF;
  luaL_setmetatable(L, TRANSFER_CLASS);
  box->engine = engine;
  engine_hold(engine);
  return box;
}

static void release_body(lua_State *L, struct transfer_box *box) {
  luaL_unref(L, LUA_REGISTRYINDEX, box->body);
  box->body = LUA_NOREF;
}

/* [engine prepared-head body options] -> [transfer id] or [nil message] */
static int engine_start_(lua_State *L) {
  struct engine *engine = check_running_engine(L, 1);
  struct head_box *head = luaL_checkudata(L, 2, HEAD_CLASS);
  struct transfer_options options = {0, CONNECT_TIMEOUT, MAX_BODY, NULL, false, false};
  struct transfer_box *box;
  struct transfer *transfer;
  const char *fault;
  luaL_argcheck(L, head->engine == engine && head->head != NULL, 2, "prepared by another engine");
  check_body(L, 3);
  if (!lua_isnoneornil(L, 4)) {
    luaL_checktype(L, 4, LUA_TTABLE);
    read_options(L, 4, &options);
  }
  lua_settop(L, 4);
  box = new_transfer_box(L, engine); /* 5 */
  transfer = engine_take(engine, head->head);
  if (transfer == NULL) return fail(L, HEAD_NO_MEMORY);
  /* From here on the transfer belongs to the box, also when Lua raises an error. */
  box->transfer = transfer;
  transfer->owner = box;
  fault = open_source(L, &transfer->source, 3, &box->body);
  if (fault == NULL) fault = engine_start(engine, transfer, head->head, &options);
  if (fault == transfer_no_file) {
    fault = lua_pushfstring(L, "the file %s cannot be written: %s", options.save_as, strerror(errno));
  }
  if (fault != NULL) {
    box->transfer = NULL;
    engine_finish(engine, transfer);
    release_body(L, box);
    return fail(L, fault);
  }
  lua_pushvalue(L, 5);
  lua_pushinteger(L, transfer->id);
  return 2;
}

static int engine_pollfd_(lua_State *L) {
  int descriptor = engine_descriptor(check_running_engine(L, 1));
  if (descriptor < 0) return 0;
  lua_pushinteger(L, descriptor);
  return 1;
}

static int engine_events_(lua_State *L) {
  check_engine(L, 1);
  lua_pushliteral(L, "r");
  return 1;
}

static int engine_timeout_(lua_State *L) {
  long long left = engine_timeout(check_running_engine(L, 1));
  if (left == ENGINE_NEVER) return 0;
  lua_pushnumber(L, (lua_Number)left / 1e6);
  return 1;
}

static int engine_wait_(lua_State *L) {
  struct engine *engine = check_running_engine(L, 1);
  engine_wait(engine, check_microseconds(L, 2));
  return 0;
}

static int engine_pump_(lua_State *L) {
  struct engine *engine = check_running_engine(L, 1);
  engine_pump(engine);
  lua_pushboolean(L, engine_has_ready(engine));
  return 1;
}

static int engine_ready_(lua_State *L) {
  struct transfer *transfer = engine_ready(check_engine(L, 1));
  if (transfer == NULL) return 0;
  lua_pushinteger(L, transfer->id);
  return 1;
}

static int engine_in_flight_(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)engine_in_flight(check_engine(L, 1)));
  return 1;
}

static int engine_close_(lua_State *L) {
  struct engine_box *box = luaL_checkudata(L, 1, ENGINE_CLASS);
  if (box->engine != NULL) engine_close(box->engine);
  return 0;
}

static int engine_gc(lua_State *L) {
  struct engine_box *box = luaL_checkudata(L, 1, ENGINE_CLASS);
  struct engine *engine = box->engine;
  if (engine == NULL) return 0;
  box->engine = NULL;
  engine_close(engine);
  engine_release(engine);
  return 0;
}

static int engine_tostring(lua_State *L) {
  struct engine_box *box = luaL_checkudata(L, 1, ENGINE_CLASS);
  if (box->engine == NULL || engine_closed(box->engine)) {
    lua_pushliteral(L, "engine (closed)");
  } else {
    lua_pushfstring(L, "engine (%d in flight)", (int)engine_in_flight(box->engine));
  }
  return 1;
}

/* ---- Prepared head. ---- */

static int head_gc(lua_State *L) {
  struct head_box *box = luaL_checkudata(L, 1, HEAD_CLASS);
  if (box->engine != NULL) {
    engine_drop_head(box->engine, box->head);
    engine_release(box->engine);
  }
  box->head = NULL;
  box->engine = NULL;
  return 0;
}

static int head_tostring(lua_State *L) {
  struct head_box *box = luaL_checkudata(L, 1, HEAD_CLASS);
  if (box->head == NULL) {
    lua_pushliteral(L, "prepared head (closed)");
  } else {
    lua_pushfstring(L, "prepared head (%s %s)", box->head->method, box->head->origin);
  }
  return 1;
}

/* ---- Transfer. ---- */

static struct transfer_box *check_box(lua_State *L) {
  return luaL_checkudata(L, 1, TRANSFER_CLASS);
}

static int transfer_wants_(lua_State *L) {
  static const char *const words[] = {NULL, "finished", "input", "drain", "progress"};
  struct transfer_box *box = check_box(L);
  enum transfer_want want = box->forsaken ? WANT_FINISH : WANT_NOTHING;
  if (box->transfer != NULL) want = transfer_wants(box->transfer);
  lua_pushstring(L, words[want]); /* nil for NULL */
  return 1;
}

static int transfer_feed_(lua_State *L) {
  struct transfer_box *box = check_box(L);
  size_t length = 0;
  const char *bytes = luaL_optlstring(L, 2, NULL, &length);
  if (box->transfer == NULL || !engine_check_process(box->engine)) return 0;
  luaL_argcheck(L, box->transfer->source.kind != SOURCE_BYTES, 1, "its body is not fed");
  if (!source_feed(&box->transfer->source, bytes, length)) return luaL_error(L, "not enough memory");
  engine_resume(box->engine, box->transfer);
  return 0;
}

static int transfer_drain_(lua_State *L) {
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

static int transfer_progress_(lua_State *L) {
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

static int transfer_finish_(lua_State *L) {
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

static int transfer_cancel_(lua_State *L) {
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

/* ---- Alarm. ---- */

static struct alarm *check_alarm(lua_State *L) {
  struct alarm *alarm = luaL_checkudata(L, 1, ALARM_CLASS);
  if (alarm->descriptor < 0) luaL_error(L, "attempt to use a closed alarm");
  if (!alarm_open(alarm)) luaL_error(L, "no alarm in this process: %s", strerror(errno));
  return alarm;
}

static int curl_alarm(lua_State *L) {
  struct alarm *alarm = lua_newuserdatauv(L, sizeof *alarm, 0);
  alarm_init(alarm);
  luaL_setmetatable(L, ALARM_CLASS);
  if (!alarm_open(alarm)) return fail(L, strerror(errno));
  return 1;
}

static int alarm_pollfd_(lua_State *L) {
  lua_pushinteger(L, check_alarm(L)->descriptor);
  return 1;
}

static int alarm_set_(lua_State *L) {
  struct alarm *alarm = check_alarm(L);
  alarm_set(alarm, lua_isnoneornil(L, 2) ? -1 : check_microseconds(L, 2));
  return 0;
}

static int alarm_gc(lua_State *L) {
  alarm_close(luaL_checkudata(L, 1, ALARM_CLASS));
  return 0;
}

static int alarm_tostring(lua_State *L) {
  struct alarm *alarm = luaL_checkudata(L, 1, ALARM_CLASS);
  lua_pushstring(L, alarm->descriptor < 0 ? "alarm (closed)" : "alarm");
  return 1;
}

/* ---- The module. ---- */

/* [engines seconds] -> [] */
static int curl_wait(lua_State *L) {
  long long microseconds = check_microseconds(L, 2);
  struct engine **engines;
  size_t count, i;
  luaL_checktype(L, 1, LUA_TTABLE);
  count = (size_t)lua_rawlen(L, 1);
  engines = lua_newuserdatauv(L, (count + 1) * sizeof *engines, 0);
  for (i = 0; i < count; i++) {
    lua_rawgeti(L, 1, (int)i + 1);
    engines[i] = check_running_engine(L, -1);
    lua_pop(L, 1); /* the table keeps it alive */
  }
  if (!engine_wait_any(engines, count, microseconds)) return luaL_error(L, "not enough memory");
  return 0;
}

static const luaL_Reg engine_entries[] = {
    {"prepare", engine_prepare_}, {"start", engine_start_},         {"pollfd", engine_pollfd_},
    {"events", engine_events_},   {"timeout", engine_timeout_},     {"wait", engine_wait_},
    {"pump", engine_pump_},       {"ready", engine_ready_},         {"in_flight", engine_in_flight_},
    {"close", engine_close_},     {"__close", engine_close_},       {"__gc", engine_gc},
    {"__tostring", engine_tostring}, {NULL, NULL}};

static const luaL_Reg head_entries[] = {
    {"__gc", head_gc}, {"__close", head_gc}, {"__tostring", head_tostring}, {NULL, NULL}};

static const luaL_Reg transfer_entries[] = {
    {"wants", transfer_wants_},   {"feed", transfer_feed_},     {"drain", transfer_drain_},
    {"progress", transfer_progress_}, {"finish", transfer_finish_}, {"cancel", transfer_cancel_},
    {"__gc", transfer_gc},        {"__close", transfer_gc},     {"__tostring", transfer_tostring},
    {NULL, NULL}};

static const luaL_Reg alarm_entries[] = {
    {"pollfd", alarm_pollfd_}, {"set", alarm_set_},  {"close", alarm_gc},
    {"__close", alarm_gc},     {"__gc", alarm_gc},   {"__tostring", alarm_tostring},
    {NULL, NULL}};

static const luaL_Reg curl_entries[] = {
    {"engine", curl_engine}, {"wait", curl_wait}, {"alarm", curl_alarm}, {NULL, NULL}};

WABA_EXPORT int luaopen_waba_curl(lua_State *L);

WABA_EXPORT int luaopen_waba_curl(lua_State *L) {
  luaL_checkversion(L);
  /* Counted by libcurl, and never undone: another user of it may live in this process. */
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    return luaL_error(L, "libcurl can't be initialised");
  }
  compat_newclass(L, ENGINE_CLASS, engine_entries);
  compat_newclass(L, HEAD_CLASS, head_entries);
  compat_newclass(L, TRANSFER_CLASS, transfer_entries);
  compat_newclass(L, ALARM_CLASS, alarm_entries);
  response_register(L);
  luaL_newlib(L, curl_entries);
  lua_pushstring(L, curl_version_info(CURLVERSION_NOW)->version);
  lua_setfield(L, -2, "version");
  return 1;
}
