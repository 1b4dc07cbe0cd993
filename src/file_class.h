/* Files that are only appended to, for Lua. */
#ifndef WABA_FILE_CLASS_H
#define WABA_FILE_CLASS_H

#include <lua.h>

/* Sets `append` in the table on the top of the stack, and registers the class of what it returns. */
void file_register(lua_State *L);

#endif
