/* SHA-256 and its HMAC, for Lua. */
#ifndef WABA_SHA256_CLASS_H
#define WABA_SHA256_CLASS_H

#include <lua.h>

/* Sets `sha256` and `hmac_sha256` in the table on the top of the stack, and registers the class of what the
 * first returns. */
void sha256_register(lua_State *L);

#endif
