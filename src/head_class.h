/* Prepared heads, for Lua. */
#ifndef WABA_HEAD_CLASS_H
#define WABA_HEAD_CLASS_H

#include <lua.h>

#include "engine.h"

/* Registers the class. */
void head_register(lua_State *L);

/* [engine request-head] -> [prepared-head] or [nil message]; returns how many. */
int head_class_new(lua_State *L, struct engine *engine);

/* The head at `index`, which must have been prepared by this engine. */
struct head *head_class_check(lua_State *L, int index, const struct engine *engine);

#endif
