/* Reads heads of HTTP/1.1 answers, for transports that own their sockets. */
#ifndef WABA_ANSWER_H
#define WABA_ANSWER_H

#include <lua.h>

/* Sets `headers` and `answer_head` in the table on the top of the stack. */
void answer_register(lua_State *L);

#endif
