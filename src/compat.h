/* Defines the Lua C API of 5.3 and 5.4 for Lua 5.1, LuaJIT, 5.2, 5.3 and 5.4; and functions for classes and results.
 * When compiled for 5.1, this file also defines the functions that LuaJIT has and Lua 5.1 lacks, so that one binary
 * works in both. */
#pragma once

#include <lauxlib.h>
#include <lua.h>
#include <string.h>

/* Marks the exported function of a module. */
#define WABA_EXPORT __attribute__((visibility("default")))

#if LUA_VERSION_NUM < 502

#undef lua_rawlen
#define lua_rawlen(L, index) lua_objlen(L, index)

#undef luaL_checkversion
#define luaL_checkversion(L) ((void)(L))

#undef lua_absindex
#define lua_absindex compat_absindex
static inline int compat_absindex(lua_State *L, int index) {
  return index > 0 || index <= LUA_REGISTRYINDEX ? index : lua_gettop(L) + index + 1;
}

#undef lua_rawgetp
#define lua_rawgetp compat_rawgetp
static inline void compat_rawgetp(lua_State *L, int index, const void *key) {
  index = lua_absindex(L, index);
  lua_pushlightuserdata(L, (void *)key);
  lua_rawget(L, index);
}

#undef lua_rawsetp
#define lua_rawsetp compat_rawsetp
static inline void compat_rawsetp(lua_State *L, int index, const void *key) {
  index = lua_absindex(L, index);
  lua_pushlightuserdata(L, (void *)key);
  lua_insert(L, -2);
  lua_rawset(L, index);
}

#undef luaL_setmetatable
#define luaL_setmetatable compat_setmetatable
static inline void compat_setmetatable(lua_State *L, const char *name) {
  luaL_getmetatable(L, name);
  lua_setmetatable(L, -2);
}

#undef luaL_testudata
#define luaL_testudata compat_testudata
static inline void *compat_testudata(lua_State *L, int index, const char *name) {
  void *object = lua_touserdata(L, index);
  if (object == NULL || !lua_getmetatable(L, index)) return NULL;
  luaL_getmetatable(L, name);
  if (!lua_rawequal(L, -1, -2)) object = NULL;
  lua_pop(L, 2);
  return object;
}

#undef luaL_newlib
#define luaL_newlib(L, entries) (lua_newtable(L), luaL_register(L, NULL, entries))

#endif /* LUA_VERSION_NUM < 502 */

#if LUA_VERSION_NUM < 503
/* Returns whether the value is a whole number between -2^53 and 2^53. */
#define lua_isinteger compat_isinteger
static inline int compat_isinteger(lua_State *L, int index) {
  lua_Number number;
  if (lua_type(L, index) != LUA_TNUMBER) return 0;
  number = lua_tonumber(L, index);
  return number >= -9007199254740992.0 && number <= 9007199254740992.0 && (lua_Number)(long long)number == number;
}
#endif

#if LUA_VERSION_NUM < 504
/* Before Lua 5.4 a userdata has one user value, so `values` must be 0 or 1. */
#define lua_newuserdatauv(L, size, values) lua_newuserdata(L, size)
#endif

/* Pushes a 64-bit integer. Lua without integers gets a double, because lua_Integer of 5.1 and 5.2 has only 32 bits on
 * some machines. */
static inline void compat_pushinteger(lua_State *L, long long number) {
#if LUA_VERSION_NUM >= 503
  lua_pushinteger(L, (lua_Integer)number);
#else
  lua_pushnumber(L, (lua_Number)number);
#endif
}

/* Each of the next functions pushes one value and returns 1, the number of results. */
static inline int compat_boolean(lua_State *L, int value) {
  lua_pushboolean(L, value);
  return 1;
}

static inline int compat_integer(lua_State *L, long long number) {
  compat_pushinteger(L, number);
  return 1;
}

static inline int compat_string(lua_State *L, const char *text) {
  lua_pushstring(L, text);
  return 1;
}

static inline int compat_bytes(lua_State *L, const char *bytes, size_t length) {
  lua_pushlstring(L, bytes, length);
  return 1;
}

/* Pushes nil and an error message; returns 2. */
static inline int compat_pusherror(lua_State *L, const char *message) {
  lua_pushnil(L);
  lua_pushstring(L, message);
  return 2;
}

/* Sets the metatable of the value at the top of the stack. `name` must be the array that was passed to
 * `compat_newclass`. The address of `name` is the key of the metatable in the registry, because a lookup by address is
 * faster than by string. */
static inline void compat_setclass(lua_State *L, const char *name) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, name);
  lua_setmetatable(L, -2);
}

/* Returns the userdata at `index` if it belongs to this class, else NULL. `name` must be the same array as in
 * `compat_setclass`. */
static inline void *compat_testclass(lua_State *L, int index, const char *name) {
  void *object = lua_touserdata(L, index);
  if (object == NULL || !lua_getmetatable(L, index)) return NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, name);
  if (!lua_rawequal(L, -1, -2)) object = NULL;
  lua_pop(L, 2);
  return object;
}

/* Does the same as `compat_testclass`, but raises an error if the value does not belong to the class. */
static inline void *compat_checkclass(lua_State *L, int index, const char *name) {
  void *object = compat_testclass(L, index, name);
  return object != NULL ? object : luaL_checkudata(L, index, name);
}

/* Registers a class: functions whose names begin with "__" become fields of the metatable, and the others become
 * methods. In Lua, `getmetatable` returns only the name of the class. Leaves the stack unchanged. */
static inline void compat_newclass(lua_State *L, const char *name, const luaL_Reg *entries) {
  if (!luaL_newmetatable(L, name)) {
    lua_rawsetp(L, LUA_REGISTRYINDEX, name); /* another copy of the module has created the metatable */
    return;
  }
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, name);
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__name");
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__metatable");
  lua_newtable(L); /* [metatable methods] */
  for (; entries->name != NULL; entries++) {
    lua_pushcfunction(L, entries->func);
    lua_setfield(L, strncmp(entries->name, "__", 2) == 0 ? -3 : -2, entries->name);
  }
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
