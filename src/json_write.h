/* Writes Lua values as JSON. */
#ifndef WABA_JSON_WRITE_H
#define WABA_JSON_WRITE_H

#include <lua.h>

/* A longer text is refused: it takes a mistake, such as one table in very many places, to make one. */
#define JSON_ENCODE_SIZE_MAX ((size_t)64 << 20)

enum json_written { JSON_WRITTEN, JSON_HAS_NO_FORM, JSON_TOO_LARGE };

/* Writes the value at the top of the stack: [.. value] -> [.. value json]. Tables are read raw; nothing calls back
 * into Lua, but for finalizers. After another result than JSON_WRITTEN the stack is higher than before. */
enum json_written json_write(lua_State *L);

#endif
