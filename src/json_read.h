/* Creates Lua values from a JSON text in one pass. Calls no Lua code. */
#ifndef WABA_JSON_READ_H
#define WABA_JSON_READ_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#define JSON_DECODE_LEVELS 1000

/* Pushes a table and a userdata. The table has the names of members that were read recently, and the userdata has the
 * number of elements in the values of these members. The table and the userdata make reading faster, and do not change
 * the result. */
void json_read_cache(lua_State *L);

/* [.. lists texts names cache] -> [.. lists texts names cache value] and true, or an error message and false. `names`
 * and `cache` are from `json_read_cache` and must be at the top of the stack. `lists` is nil, or a table whose keys are
 * names of members: for each object in an array with one of these names, the table `texts` gets the object's part of
 * the text, unless another such object contains the object. The text ends with a NUL, which `length` does not count,
 * and must not be collected. If `guard` is true, refuses a text that causes hash flooding (see json_flood.h). */
bool json_read(lua_State *L, const char *text, size_t length, bool guard);

/* Parts of the text of this length or longer are not added to `texts`. */
#define JSON_PART_LENGTH_MAX ((size_t)1 << 16)

#endif
