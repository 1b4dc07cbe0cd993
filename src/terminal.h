/* What a command in a terminal asks of the system: is this a terminal, how wide, did Ctrl-C come, who may read a file.
 * Owns nothing and keeps no state. */
#ifndef WABA_TERMINAL_H
#define WABA_TERMINAL_H

struct lua_State;

/* Adds the functions to the table on top of the stack. */
void terminal_register(struct lua_State *L);

#endif
