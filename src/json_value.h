/* Checks and prepares Lua values before they are encoded. All functions work on the value at the top of the stack and
 * read tables raw; no function calls Lua code. */
#ifndef WABA_JSON_VALUE_H
#define WABA_JSON_VALUE_H

#include <lua.h>
#include <stdbool.h>

/* The value must be an empty table or a light userdata. Returns whether the value is an empty array of OpenResty's
 * cjson: `empty_array`, or a table with the metatable `empty_array_mt` or `array_mt`. */
bool json_is_cjson_array(lua_State *L);

/* If a table in the value has the metamethod `__index`, `__len`, `__pairs` or `__ipairs`, which the encoder ignores,
 * replaces the value by a copy of its raw contents, without metatables that have such a metamethod. Returns whether the
 * value was replaced. */
bool json_make_plain(lua_State *L);

/* Searches for an error in a value that can't be encoded. If an array has several errors, the first one is returned.
 * [.. value] -> [.. value message path] and true, or false and the same stack. */
bool json_explain(lua_State *L);

#endif
