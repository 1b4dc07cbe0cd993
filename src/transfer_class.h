/* Transfers, for Lua. */
#ifndef WABA_TRANSFER_CLASS_H
#define WABA_TRANSFER_CLASS_H

#include <lua.h>

#include "engine.h"

/* Registers the class. */
void transfer_register(lua_State *L);

/* [engine prepared-head body options used-transfer] -> [transfer id] or [nil message]; returns how many. */
int transfer_class_start(lua_State *L);

/* For `engine_options.forsaken`: keeps the result of the transfer for a later `finish`. */
void transfer_class_forsake(struct transfer *transfer);

#endif
