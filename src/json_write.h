/* Writes Lua values as JSON. json_value.h finds the reason why a value can't be written. */
#ifndef WABA_JSON_WRITE_H
#define WABA_JSON_WRITE_H

#include <lua.h>

/* The largest length of a text in bytes. A longer text is refused. Only an error in the program causes a longer text,
 * for example a value that contains the same table very often. */
#define JSON_ENCODE_SIZE_MAX ((size_t)64 << 20)

enum json_written { JSON_WRITTEN, JSON_HAS_NO_FORM, JSON_TOO_LARGE };

/* Writes the value at the top of the stack: [.. value] -> [.. value json]. Reads tables raw; no Lua code runs, except
 * for finalizers. If the result is not JSON_WRITTEN, the stack has additional values. */
enum json_written json_write(lua_State *L);

#endif
