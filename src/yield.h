/* Whether the running coroutine can be suspended (described in lua/waba/meta.lua). */
#ifndef WABA_YIELD_H
#define WABA_YIELD_H

#include <lua.h>

/* Adds `can_yield` to the table on the top of the stack. */
void yield_register(lua_State *L);

#endif
