/* Prepares Lua values for the encoder. */
#include "compat.h"
#include "json_parts.h"

/* Returns whether the value at `index` is the same as the field `field` of a loaded cjson module. */
static bool is_of_cjson(lua_State *L, int index, const char *field) {
  static const char *const modules[] = {"cjson", "cjson.safe"};
  const int top = lua_gettop(L);
  bool same = false;
  index = lua_absindex(L, index);
  for (size_t i = 0; i < 2 && !same; i++) {
    lua_pushliteral(L, "_LOADED");
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_pushstring(L, modules[i]);
    if (lua_istable(L, -2)) lua_rawget(L, -2);
    if (lua_istable(L, -1)) {
      lua_pushstring(L, field);
      lua_rawget(L, -2);
      same = !lua_isnil(L, -1) && lua_rawequal(L, -1, index);
    }
    lua_settop(L, top);
  }
  return same;
}

const char json_empty_array = 0;

bool json_is_empty_array(lua_State *L) {
  if (lua_touserdata(L, -1) == &json_empty_array) return true;
  if (lua_type(L, -1) != LUA_TTABLE) return is_of_cjson(L, -1, "empty_array");
  if (!lua_getmetatable(L, -1)) return false;
  bool is_array = is_of_cjson(L, -1, "empty_array_mt") || is_of_cjson(L, -1, "array_mt");
  lua_pop(L, 1);
  return is_array;
}

static bool has_read_metamethod(lua_State *L) {
  static const char *const events[] = {"__index", "__len", "__pairs", "__ipairs"};
  bool is_changed = false;
  if (!lua_getmetatable(L, -1)) return false;
  for (size_t i = 0; i < sizeof events / sizeof events[0] && !is_changed; i++) {
    lua_pushstring(L, events[i]);
    lua_rawget(L, -2);
    is_changed = !lua_isnil(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return is_changed;
}

/* The largest number of parts of a value that are checked and copied. No message has more parts. */
#define PLAIN_MAX ((size_t)1 << 20)

static bool is_plain(lua_State *L, int depth, size_t *count) {
  if (lua_type(L, -1) != LUA_TTABLE || depth > JSON_ENCODE_LEVELS) return true;
  if (has_read_metamethod(L)) return false;
  luaL_checkstack(L, 8, "table with too many levels");
  lua_pushnil(L);
  while (++*count < PLAIN_MAX && lua_next(L, -2)) {
    if (!is_plain(L, depth + 1, count)) return false;
    lua_pop(L, 1);
  }
  if (*count >= PLAIN_MAX) lua_pop(L, 1);
  return true;
}

/* Replaces the value at the top of the stack by a copy. */
static void copy_plain(lua_State *L, int depth, size_t *count) {
  if (lua_type(L, -1) != LUA_TTABLE || depth > JSON_ENCODE_LEVELS || ++*count >= PLAIN_MAX) return;
  luaL_checkstack(L, 10, "table with too many levels");
  bool is_changed = has_read_metamethod(L);
  lua_newtable(L);
  if (!is_changed && lua_getmetatable(L, -2)) lua_setmetatable(L, -2);
  lua_pushnil(L);
  while (lua_next(L, -3)) { /* [.. table copy key value] */
    copy_plain(L, depth + 1, count);
    lua_pushvalue(L, -2);
    lua_insert(L, -2); /* [.. table copy key key value] */
    lua_rawset(L, -4);
  }
  lua_remove(L, -2);
}

bool json_make_plain(lua_State *L) {
  const int top = lua_gettop(L);
  size_t count = 0;
  if (is_plain(L, 1, &count)) return false;
  lua_settop(L, top);
  count = 0;
  copy_plain(L, 1, &count);
  return true;
}
