/* The Lua classes of waba.curl. annotations/curl.lua describes them. The comments show the Lua stack before and after a
 * function. Each function returns the number of its results. */
#pragma once

#include <lua.h>

#include "engine.h"

void alarm_register(lua_State *L);
void engine_register(lua_State *L);
void head_register(lua_State *L);
void transfer_register(lua_State *L);

/* [] -> [alarm] or [nil message] */
int alarm_class_new(lua_State *L);

/* [options?] -> [engine] or [nil message] */
int engine_class_new(lua_State *L);

/* Returns the engine at `index`, which must be open. The handles of the engine need not be ready. */
struct engine *engine_class_get(lua_State *L, int index);

/* Returns true if the handles of the engine can be used. If the system has no descriptors or memory for the handles,
 * pushes the error text and returns false. Raises an error if the engine is closed. */
bool engine_class_is_ready(lua_State *L, struct engine *engine);

/* Returns the engine at `index`, which must be open and ready. */
struct engine *engine_class_check(lua_State *L, int index);

/* [engine request-head] -> [prepared-head] or [nil message] */
int head_class_new(lua_State *L);

/* Returns the prepared head at `index`. Raises an error if another engine has prepared the head. */
struct head *head_class_check(lua_State *L, int index, const struct engine *engine);

/* [engine prepared-head body options used-transfer] -> [transfer id] or [nil message limit?] */
int transfer_class_start(lua_State *L);

/* The function for `engine_options.on_close`. Keeps the result of the transfer for a later call of `finish`. */
void transfer_class_on_close(struct transfer *transfer);
