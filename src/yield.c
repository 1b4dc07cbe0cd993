/* can_yield() -> true | false | nil: whether the running coroutine can be suspended here; nil if only an attempt
 * would show it. */
#include "core.h"

#include "compat.h"

#if LUA_VERSION_NUM >= 503

int can_yield(lua_State *L) {
  lua_pushboolean(L, lua_isyieldable(L));
  return 1;
}

#elif LUA_VERSION_NUM == 502

/* If the coroutine can be suspended, an error in `lua_pcallk` calls the continuation; otherwise `lua_pcallk` returns. */
static int fail(lua_State *L) {
  lua_pushnil(L);
  return lua_error(L);
}

static int is_continued(lua_State *L) {
  lua_pushboolean(L, 1);
  return 1;
}

int can_yield(lua_State *L) {
  lua_pushcfunction(L, fail);
  lua_pcallk(L, 0, 0, 0, 0, is_continued);
  lua_pushboolean(L, 0);
  return 1;
}

#else

/* LuaJIT has this function and Lua 5.1 does not; a binary for one of them can be loaded by the other. */
extern int lua_isyieldable(lua_State *L) __attribute__((weak));

/* Lua 5.1 can't suspend a coroutine while one of these is on the stack: a C function that has called Lua code, an
 * iterator of `for`, or a metamethod. A C function has a level of its own, and the name of a level shows an iterator.
 * A metamethod is a level without a name, and so are a function that an expression returned and a tail call. If there
 * is a level without a name, the result is nil. The lowest level is the function of the coroutine itself. */
int can_yield(lua_State *L) {
  lua_Debug level;
  int depth, is_unnamed = 0, is_unknown = 0;
  if (lua_isyieldable != NULL || lua_pushthread(L)) {
    lua_pushboolean(L, lua_isyieldable != NULL && lua_isyieldable(L));
    return 1;
  }
  for (depth = 1; lua_getstack(L, depth, &level); depth++) {
    lua_getinfo(L, "Sn", &level);
    if (level.what[0] == 'C' || (level.name != NULL && strcmp(level.name, "(for generator)") == 0)) {
      lua_pushboolean(L, 0);
      return 1;
    }
    if (level.what[0] == 't') continue; /* a tail call, which never has a name */
    is_unknown |= is_unnamed;
    is_unnamed = level.name == NULL;
  }
  if (is_unknown) {
    lua_pushnil(L);
  } else {
    lua_pushboolean(L, 1);
  }
  return 1;
}

#endif
