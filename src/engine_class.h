/* Engines, for Lua. */
#ifndef WABA_ENGINE_CLASS_H
#define WABA_ENGINE_CLASS_H

#include <lua.h>

#include "engine.h"

/* Registers the class. */
void engine_register(lua_State *L);

/* [options?] -> [engine] or [nil message]; returns how many. */
int engine_class_new(lua_State *L);

/* The engine at `index`, for what goes on to use libcurl: it is open and works in this process. */
struct engine *engine_class_check(lua_State *L, int index);

/* The same, but returns false with a message on the stack when the system has no more descriptors or memory. */
bool engine_class_is_ready(lua_State *L, int index);

#endif
