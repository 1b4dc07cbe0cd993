/* Reads the heads of HTTP/1.1 responses, for both transports. */
#ifndef WABA_RESPONSE_HEAD_H
#define WABA_RESPONSE_HEAD_H

#include <lua.h>
#include <stdbool.h>

/* Pushes a table with the headers in the lines between `at` and `end`; each line ends with CR LF. Names are in lower
 * case, and the values of a repeated name are joined with ", ". Returns false, with an incomplete table, if a line has
 * no name, no colon or no CR LF. If `is_strict` is true, also returns false for a name with white space or a control
 * character, and for a value with a CR. */
bool response_head_push_headers(lua_State *L, const char *at, const char *end, bool is_strict);

#endif
