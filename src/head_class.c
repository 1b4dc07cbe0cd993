/* The Lua class of head.c: see annotations/curl.lua. */
#include "classes.h"
#include "compat.h"

static const char HEAD_CLASS[] = "waba.PreparedHead";

/* The userdata has a reference to the engine, so Lua may collect the head and the engine in any order. */
struct head_box {
  struct engine *engine;
  struct head *head;
};

/* Adds the headers in the table at an index. Returns NULL or an error message; after an error there are additional
 * values on the stack. */
static const char *add_headers(lua_State *L, struct head *head, int table) {
  lua_pushnil(L);
  while (lua_next(L, table) != 0) { /* [.. name value] */
    size_t name_length, value_length;
    const bool are_strings = lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING;
    if (!are_strings) return "headers: names and values must be strings";
    const char *const name = lua_tolstring(L, -2, &name_length), *const value = lua_tolstring(L, -1, &value_length);
    const char *const message = head_add(head, name, name_length, value, value_length);
    if (message != NULL) return lua_pushfstring(L, "header '%s': %s", name, message);
    lua_pop(L, 1);
  }
  return NULL;
}

int head_class_new(lua_State *L) {
  struct engine *engine = engine_class_get(L, 1);
  struct credentials *credentials = NULL;
  const char *message;
  size_t method_length, url_length;
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
  const char *method = lua_tolstring(L, 3, &method_length), *url = lua_tolstring(L, 4, &url_length);
  struct head_box *box = lua_newuserdatauv(L, sizeof *box, 0); /* 8 */
  box->engine = NULL;
  box->head = NULL;
  compat_setclass(L, HEAD_CLASS);
  box->head = head_new(method, method_length, url, url_length, lua_toboolean(L, 7) != 0, &message);
  if (box->head == NULL) return compat_pusherror(L, message);
  box->engine = engine;
  engine_hold(engine);
  engine_add_head(engine, box->head);
  if (lua_istable(L, 5)) message = add_headers(L, box->head, 5);
  if (message == NULL && credentials != NULL) message = head_add_credentials(box->head, credentials);
  if (message == NULL) message = head_complete(box->head);
  if (message != NULL) return compat_pusherror(L, message);
  lua_pushvalue(L, 8);
  return 1;
}

struct head *head_class_check(lua_State *L, int index, const struct engine *engine) {
  struct head_box *box = compat_checkclass(L, index, HEAD_CLASS);
  luaL_argcheck(L, box->engine == engine && box->head != NULL, index, "must be a head that this engine has prepared");
  return box->head;
}

static int head_gc(lua_State *L) {
  struct head_box *box = compat_checkclass(L, 1, HEAD_CLASS);
  if (box->engine != NULL) {
    engine_drop_head(box->engine, box->head);
    engine_release(box->engine);
  }
  box->head = NULL;
  box->engine = NULL;
  return 0;
}

static int head_tostring(lua_State *L) {
  const struct head_box *box = compat_checkclass(L, 1, HEAD_CLASS);
  char text[ORIGIN_SIZE + 64] = "prepared head (closed)";
  if (box->head != NULL) {
    snprintf(text, sizeof text, "prepared head (%.32s %s)", box->head->method, box->head->origin);
  }
  return compat_string(L, text);
}

static const luaL_Reg head_class[] = {
    {"__gc", head_gc},
    {"__close", head_gc},
    {"__tostring", head_tostring},
    {NULL, NULL},
};

void head_register(lua_State *L) { compat_newclass(L, HEAD_CLASS, head_class); }
