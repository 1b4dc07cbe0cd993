/* Reads arguments and options from Lua: see arguments.h. */
#include "arguments.h"
#include "compat.h"

const char *arguments_text(lua_State *L, int table, const char *name) {
  size_t length;
  lua_getfield(L, table, name);
  if (lua_isnil(L, -1)) return NULL;
  if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "option '%s' must be a string", name);
  const char *text = lua_tolstring(L, -1, &length);
  if (strlen(text) != length) luaL_error(L, "option '%s' contains a NUL: expected text", name);
  return text;
}

bool arguments_number(lua_State *L, int table, const char *name, lua_Number *number) {
  lua_getfield(L, table, name);
  bool is_set = !lua_isnil(L, -1);
  if (is_set && lua_type(L, -1) != LUA_TNUMBER) luaL_error(L, "option '%s' must be a number", name);
  if (is_set) *number = lua_tonumber(L, -1);
  if (is_set && !(*number >= 0)) luaL_error(L, "option '%s' must not be negative", name);
  lua_pop(L, 1);
  return is_set;
}

bool arguments_size(lua_State *L, int table, const char *name, long long *size) {
  lua_Number number;
  if (!arguments_number(L, table, name, &number)) return false;
  if (number > 9007199254740992.0 || (lua_Number)(long long)number != number) {
    luaL_error(L, "option '%s' must be a whole number of bytes", name);
  }
  *size = (long long)number;
  return true;
}

bool arguments_flag(lua_State *L, int table, const char *name) {
  lua_getfield(L, table, name);
  bool flag = lua_toboolean(L, -1) != 0;
  lua_pop(L, 1);
  return flag;
}

long long arguments_microseconds(lua_State *L, int index) {
  lua_Number seconds = luaL_checknumber(L, index);
  if (!(seconds > 0)) return 0;
  return seconds > 1e9 ? (long long)1e15 : (long long)(seconds * 1e6);
}
