/* Walks over Lua values that are to become JSON or come from it. All work on the value on the top of the
 * stack and read tables raw; none calls back into Lua. */
#ifndef WABA_JSON_VALUE_H
#define WABA_JSON_VALUE_H

#include <lua.h>
#include <stdbool.h>

/* Whether the value, an empty table or a light userdata, is an empty array of OpenResty's cjson: `empty_array`, or
 * a table with `empty_array_mt` or `array_mt`. */
bool json_is_cjson_array(lua_State *L);

/* Makes Lua code read the value as the encoder does: if a table in it has a metatable with `__index`, `__len`,
 * `__pairs` or `__ipairs`, replaces the value by a copy of the tables' raw contents without such metatables.
 * Returns whether it was replaced. */
bool json_make_plain(lua_State *L);

/* Looks for the first fault of the value, in arrays from the front. Leaves [.. message path] and returns
 * true, or leaves the stack as it was. */
bool json_explain(lua_State *L);

/* Makes whole numbers integers, where Lua has them. False: a number is infinite; the stack is then
 * higher than before. */
bool json_settle(lua_State *L);

#endif
