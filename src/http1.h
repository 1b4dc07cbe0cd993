/* Heads of HTTP/1.1 messages as bytes, for transports that own their sockets: requests are written, headers
 * of responses read. */
#ifndef WABA_HTTP1_H
#define WABA_HTTP1_H

#include <lua.h>

/* Sets `head`, `ready_head` and `headers` in the table on the top of the stack. */
void http1_register(lua_State *L);

#endif
