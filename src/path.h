/* Functions on paths that Lua does not have (described in lua/waba/meta.lua). */
#ifndef WABA_PATH_H
#define WABA_PATH_H

#include <lua.h>

/* Adds the functions to the table on the top of the stack. */
void path_register(lua_State *L);

#endif
