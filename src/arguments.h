/* What functions are given from Lua, read alike: fields of a table of options, times. What is wrong raises an
 * error that names it. */
#ifndef WABA_ARGUMENTS_H
#define WABA_ARGUMENTS_H

#include <lua.h>
#include <stdbool.h>

/* A string field without NUL; NULL if there is none. Pushes the field, which keeps the text alive: a
 * metatable or a finalizer may take it out of the table. */
const char *arguments_text(lua_State *L, int table, const char *name);

/* Reads a number field that is not negative. Whether there is one. */
bool arguments_number(lua_State *L, int table, const char *name, lua_Number *number);

/* Reads a number of bytes: a whole one, which a double counts exactly. Whether there is one. */
bool arguments_size(lua_State *L, int table, const char *name, long long *size);

/* Whether a field is true. */
bool arguments_flag(lua_State *L, int table, const char *name);

/* An argument in seconds as microseconds; what is not above 0 counts as 0. */
long long arguments_microseconds(lua_State *L, int index);

#endif
