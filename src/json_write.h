/* Writes Lua values as JSON. json_value.h explains why a value has no form in JSON. */
#ifndef WABA_JSON_WRITE_H
#define WABA_JSON_WRITE_H

#include <lua.h>

/* In bytes. A longer text is refused: only an error in the program produces one, such as a table that is
 * referenced very often. */
#define JSON_ENCODE_SIZE_MAX ((size_t)64 << 20)

enum json_written { JSON_WRITTEN, JSON_HAS_NO_FORM, JSON_TOO_LARGE };

/* Writes the value at the top of the stack: [.. value] -> [.. value json]. Reads tables raw; no Lua code runs except
 * finalizers. After a result other than JSON_WRITTEN the stack has additional values. */
enum json_written json_write(lua_State *L);

#endif
