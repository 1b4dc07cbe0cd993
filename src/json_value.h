/* Checks and prepares Lua values before encoding. All functions work on the value at the top of the stack and read
 * tables raw; none calls Lua code. */
#ifndef WABA_JSON_VALUE_H
#define WABA_JSON_VALUE_H

#include <lua.h>
#include <stdbool.h>

/* Whether the value, an empty table or a light userdata, is an empty array of OpenResty's cjson: `empty_array`, or
 * a table with `empty_array_mt` or `array_mt`. */
bool json_is_cjson_array(lua_State *L);

/* If a table in the value has a metatable with `__index`, `__len`, `__pairs` or `__ipairs`, which the encoder ignores,
 * replaces the value by a copy of the raw contents without such metatables. Returns whether it was replaced. */
bool json_make_plain(lua_State *L);

/* Searches for an error in a value that can't be encoded; in arrays for the first one. [.. value] -> [.. value message
 * path] and true, or false and the same stack. */
bool json_explain(lua_State *L);

#endif
