/* The Lua class of engine.c: see annotations/curl.lua. */
#include <errno.h>

#include "arguments.h"
#include "classes.h"
#include "compat.h"
#include "system.h"

static const char ENGINE_CLASS[] = "waba.Engine";

#define MAX_CONNECTIONS 16

struct engine_box {
  struct engine *engine; /* NULL until `engine_new` has returned, and after __gc */
};

static const char closed_engine[] = "attempt to use a closed engine";

struct engine *engine_class_get(lua_State *L, int index) {
  struct engine_box *box = compat_checkclass(L, index, ENGINE_CLASS);
  if (box->engine == NULL || engine_closed(box->engine)) luaL_error(L, closed_engine);
  return box->engine;
}

/* Pushes the error text for an errno. */
static void push_refusal(lua_State *L, int error) {
  char text[SYSTEM_TEXT_SIZE];
  lua_pushfstring(L, "no connection can be opened: %s", system_describe(error, text));
}

bool engine_class_is_ready(lua_State *L, struct engine *engine) {
  if (engine_check_process(engine)) return true;
  const int error = errno;
  if (engine_closed(engine)) luaL_error(L, closed_engine);
  push_refusal(L, error);
  return false;
}

struct engine *engine_class_check(lua_State *L, int index) {
  struct engine *engine = engine_class_get(L, index);
  if (!engine_class_is_ready(L, engine)) lua_error(L);
  return engine;
}

int engine_class_new(lua_State *L) {
  struct engine_options options = {NULL, NULL, MAX_CONNECTIONS, transfer_class_on_close};
  lua_Number connections;
  if (!lua_isnoneornil(L, 1)) {
    luaL_checktype(L, 1, LUA_TTABLE);
    options.ca_file = arguments_text(L, 1, "ca_file");
    options.proxy = arguments_text(L, 1, "proxy");
    if (arguments_number(L, 1, "max_connections", &connections)) {
      luaL_argcheck(L, connections >= 1 && connections <= 10000, 1, "max_connections must be from 1 to 10000");
      options.max_connections = (long)connections;
    }
  }
  struct engine_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->engine = NULL;
  compat_setclass(L, ENGINE_CLASS);
  box->engine = engine_new(&options);
  if (box->engine != NULL) return 1;
  push_refusal(L, errno);
  return compat_pusherror(L, lua_tostring(L, -1));
}

static int engine_pollfd_method(lua_State *L) {
  int descriptor = engine_descriptor(engine_class_check(L, 1));
  return descriptor < 0 ? 0 : compat_integer(L, descriptor);
}

static int engine_events_method(lua_State *L) {
  engine_class_get(L, 1);
  return compat_string(L, "r");
}

static int engine_timeout_method(lua_State *L) {
  long long left = engine_timeout(engine_class_check(L, 1));
  if (left == ENGINE_NEVER) return 0;
  lua_pushnumber(L, (lua_Number)left / 1e6);
  return 1;
}

static int engine_wait_method(lua_State *L) {
  struct engine *engine = engine_class_check(L, 1);
  engine_wait(engine, arguments_microseconds(L, 2));
  return 0;
}

static int engine_pump_method(lua_State *L) {
  struct engine *engine = engine_class_check(L, 1);
  engine_pump(engine);
  return compat_boolean(L, engine_has_ready(engine));
}

static int engine_dispatch_method(lua_State *L) {
  engine_dispatch(engine_class_check(L, 1));
  return 0;
}

static int engine_ready_method(lua_State *L) {
  struct transfer *transfer = engine_ready(engine_class_get(L, 1));
  return transfer == NULL ? 0 : compat_integer(L, transfer->id);
}

static int engine_in_flight_method(lua_State *L) {
  return compat_integer(L, (long long)engine_in_flight(engine_class_get(L, 1)));
}

static int engine_close_method(lua_State *L) {
  struct engine_box *box = compat_checkclass(L, 1, ENGINE_CLASS);
  if (box->engine != NULL) engine_close(box->engine);
  return 0;
}

static int engine_gc(lua_State *L) {
  struct engine_box *box = compat_checkclass(L, 1, ENGINE_CLASS);
  struct engine *engine = box->engine;
  if (engine == NULL) return 0;
  box->engine = NULL;
  engine_close(engine);
  engine_release(engine);
  return 0;
}

static int engine_tostring(lua_State *L) {
  struct engine_box *box = compat_checkclass(L, 1, ENGINE_CLASS);
  if (box->engine == NULL || engine_closed(box->engine)) lua_pushliteral(L, "engine (closed)");
  else lua_pushfstring(L, "engine (%d in flight)", (int)engine_in_flight(box->engine));
  return 1;
}

static const luaL_Reg engine_class[] = {
    {"prepare", head_class_new},
    {"start", transfer_class_start},
    {"pollfd", engine_pollfd_method},
    {"events", engine_events_method},
    {"timeout", engine_timeout_method},
    {"wait", engine_wait_method},
    {"pump", engine_pump_method},
    {"dispatch", engine_dispatch_method},
    {"ready", engine_ready_method},
    {"in_flight", engine_in_flight_method},
    {"close", engine_close_method},
    {"__close", engine_close_method},
    {"__gc", engine_gc},
    {"__tostring", engine_tostring},
    {NULL, NULL},
};

void engine_register(lua_State *L) { compat_newclass(L, ENGINE_CLASS, engine_class); }
