/* JSON for Lua through a private lua-cjson instance, with its traps closed. */
#ifndef WABA_JSON_H
#define WABA_JSON_H

#include <lua.h>

/* Sets `encode`, `decode` and `null` in the table on the top of the stack. lua-cjson is loaded when one
 * of the two functions is called for the first time; the instance lives in their upvalues. */
void json_register(lua_State *L);

#endif
