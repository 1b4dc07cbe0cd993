/* Reads the heads of HTTP/1.1 responses, for both transports. */
#ifndef WABA_RESPONSE_HEAD_H
#define WABA_RESPONSE_HEAD_H

#include <lua.h>
#include <stdbool.h>

/* Pushes a table of the header lines between `at` and `end`, each with its CR LF: names in lower case, values of a
 * repeated name joined with ", ". Returns false, with an incomplete table, at a line without a name, a colon or CR LF.
 * If `is_strict`, also at a name with white space or a control character and at a value with a CR. */
bool response_head_push_headers(lua_State *L, const char *at, const char *end, bool is_strict);

#endif
