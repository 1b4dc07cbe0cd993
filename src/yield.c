/* can_yield() -> true | false | nil: whether the caller can be suspended; nil: unknown. */
#include "core.h"
#include "compat.h"

#if LUA_VERSION_NUM >= 503

int can_yield(lua_State *L) { return compat_boolean(L, lua_isyieldable(L)); }

#elif LUA_VERSION_NUM == 502

/* If the coroutine can be suspended, an error in `lua_pcallk` calls the continuation `is_continued`. If the coroutine
 * can't be suspended, `lua_pcallk` returns. */
static int fail(lua_State *L) {
  lua_pushnil(L);
  return lua_error(L);
}

static int is_continued(lua_State *L) { return compat_boolean(L, 1); }

int can_yield(lua_State *L) {
  lua_pushcfunction(L, fail);
  lua_pcallk(L, 0, 0, 0, 0, is_continued);
  return compat_boolean(L, 0);
}

#else

/* LuaJIT has the function `lua_isyieldable`, and Lua 5.1 does not. Each interpreter can load a binary that was built
 * for the other interpreter. */
extern int lua_isyieldable(lua_State *L) __attribute__((weak));

/* Lua 5.1 can't suspend a coroutine whose stack has a C function that has called Lua code, an iterator of `for`, or a
 * metamethod. A C function has a level of its own on the stack. The level of an iterator has a special name. The level
 * of a metamethod has no name. Some other levels have no name either, so the result is nil if a level above the lowest
 * has no name. The lowest level is the function of the coroutine itself. */
int can_yield(lua_State *L) {
  lua_Debug level;
  int is_unnamed = 0, is_unknown = 0;
  if (lua_isyieldable != NULL || lua_pushthread(L)) {
    return compat_boolean(L, lua_isyieldable != NULL && lua_isyieldable(L));
  }
  for (int depth = 1; lua_getstack(L, depth, &level); depth++) {
    lua_getinfo(L, "Sn", &level);
    if (level.what[0] == 'C' || (level.name != NULL && strcmp(level.name, "(for generator)") == 0)) {
      return compat_boolean(L, 0);
    }
    if (level.what[0] == 't') continue; /* a tail call, which never has a name */
    is_unknown |= is_unnamed;
    is_unnamed = level.name == NULL;
  }
  if (is_unknown) lua_pushnil(L);
  else lua_pushboolean(L, 1);
  return 1;
}

#endif
