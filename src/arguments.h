/* What functions are given from Lua, read alike: fields of a table of options, times. What is wrong raises an
 * error that names it. */
#ifndef WABA_ARGUMENTS_H
#define WABA_ARGUMENTS_H

#include <lua.h>
#include <stdbool.h>

/* Returns a string field without NUL, or NULL if it is absent. Pushes the field, which keeps the text alive: a
 * metamethod or a finalizer may remove it from the table. */
const char *arguments_text(lua_State *L, int table, const char *name);

/* Reads a number field that is not negative. Whether there is one. */
bool arguments_number(lua_State *L, int table, const char *name, lua_Number *number);

/* Reads an option that is a whole number of bytes, at most 2^53. Returns false when it is absent; raises for
 * other values. */
bool arguments_size(lua_State *L, int table, const char *name, long long *size);

/* Whether a field is true. */
bool arguments_flag(lua_State *L, int table, const char *name);

/* An argument in seconds as microseconds; what is not above 0 counts as 0. */
long long arguments_microseconds(lua_State *L, int index);

#endif
