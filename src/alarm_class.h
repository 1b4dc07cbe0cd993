/* Alarms, for Lua. */
#ifndef WABA_ALARM_CLASS_H
#define WABA_ALARM_CLASS_H

#include <lua.h>

/* Registers the class. */
void alarm_register(lua_State *L);

/* [] -> [alarm] or [nil message]; returns how many. */
int alarm_class_new(lua_State *L);

#endif
