/* The result of a transfer as a Lua table: `waba.Response` or `waba.TransferFailure` of the transport
 * contract. A response is made of its status, its body and a record of everything else; the record is
 * turned into fields when one of them is first asked for, since most are never looked at. */
#ifndef WABA_RESPONSE_H
#define WABA_RESPONSE_H

#include <lua.h>

#include "transfer.h"

/* Registers what responses need. */
void response_register(lua_State *L);

/* Pushes the response of a transfer that has succeeded. */
void response_push(lua_State *L, struct transfer *transfer);

/* Pushes what is known of one that has failed. */
void response_push_failure(lua_State *L, const struct transfer *transfer);

/* Pushes the failure of a transfer that vanished with its engine. */
void response_push_forsaken(lua_State *L, enum transfer_sent sent);

#endif
