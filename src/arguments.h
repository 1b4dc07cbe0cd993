/* Reads arguments and option tables from Lua. An invalid argument raises an error that contains the name of the
 * argument. */
#pragma once

#include <lua.h>
#include <stdbool.h>

/* Returns a string option; NULL if the option is missing. The string must not contain a NUL. Pushes the string onto the
 * stack, because a finalizer could remove the string from the table and so free the text. */
const char *arguments_text(lua_State *L, int table, const char *name);

/* Reads an option that must not be negative. Returns false if the option is missing. */
bool arguments_number(lua_State *L, int table, const char *name, lua_Number *number);

/* Reads an option that must be a whole number of bytes, at most 2^53. Returns false if the option is missing. */
bool arguments_size(lua_State *L, int table, const char *name, long long *size);

/* Returns whether an option is true. */
bool arguments_flag(lua_State *L, int table, const char *name);

/* Converts an argument in seconds to microseconds; 0 for a negative argument and for NaN. */
long long arguments_microseconds(lua_State *L, int index);
