/* Files by their paths, as far as Lua has no functions for it (described in lua/waba/meta.lua). */
#ifndef WABA_PATH_H
#define WABA_PATH_H

#include <lua.h>

/* Adds the functions to the table on the top of the stack. */
void path_register(lua_State *L);

#endif
