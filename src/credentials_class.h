/* Secret headers for one origin, for Lua. */
#ifndef WABA_CREDENTIALS_CLASS_H
#define WABA_CREDENTIALS_CLASS_H

#include <lua.h>

/* Sets `credentials` in the table on the top of the stack, and registers the class of what it returns. */
void credentials_register(lua_State *L);

#endif
