/* What functions are given from Lua, read alike: fields of a table of options, times. What is wrong raises an
 * error that names it. */
#ifndef WABA_ARGUMENTS_H
#define WABA_ARGUMENTS_H

#include <lua.h>
#include <stdbool.h>

/* A string field without NUL, kept alive by the table; NULL if there is none. */
const char *arguments_text(lua_State *L, int table, const char *name);

/* Reads a number field that is not negative. Whether there is one. */
bool arguments_number(lua_State *L, int table, const char *name, lua_Number *number);

/* Whether a field is true. */
bool arguments_flag(lua_State *L, int table, const char *name);

/* An argument in seconds as microseconds; what is not above 0 counts as 0. */
long long arguments_microseconds(lua_State *L, int index);

#endif
