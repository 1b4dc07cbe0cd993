/* Heads of HTTP/1.1 requests as bytes, for transports that own their sockets. */
#ifndef WABA_HTTP1_H
#define WABA_HTTP1_H

#include <lua.h>

/* Sets `ready_head` in the table on the top of the stack. */
void http1_register(lua_State *L);

#endif
