/* Builds Lua values from JSON texts in one pass. Calls no Lua code. */
#ifndef WABA_JSON_READ_H
#define WABA_JSON_READ_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#define JSON_DECODE_LEVELS 1000

/* Pushes a table and a userdata: recently read names of members, and how many elements their values had. They make
 * reading faster and do not change its result. */
void json_read_cache(lua_State *L);

/* [.. lists texts names cache] -> [.. lists texts names cache value] and true, or an error message and false: `names` and
 * `cache` of `json_read_cache` must be at the top. `lists`: nil, or a table whose keys are names of members: for each object
 * in an array of that name the table `texts` gets its part of the text. The text ends with NUL, which `length` does not
 * count, and is anchored. `guard`: refuses hash flooding, see json_flood.h. */
bool json_read(lua_State *L, const char *text, size_t length, bool guard);

/* Parts of the text from this length on are not added to `texts`. */
#define JSON_PART_LENGTH_MAX ((size_t)1 << 16)

#endif
