/* The result of a transfer, and the same as a Lua table: `waba.Response` or `waba.TransferFailure` of the
 * transport contract. The table of a response is made of its status, its body and a record of everything
 * else; the record is turned into fields when one of them is first asked for, since most are never looked
 * at. */
#ifndef WABA_RESPONSE_H
#define WABA_RESPONSE_H

#include <lua.h>

#include "transfer.h"

/* What libcurl knows of a transfer. */
struct facts {
  curl_off_t connect, first_byte, total; /* microseconds since the start */
  curl_off_t bytes_sent, bytes_received; /* of the bodies */
  long version;                          /* 0: none was spoken */
  bool reused;
};

/* Everything there is to return of a transfer that has ended. It refers to nothing of the engine, so
 * that making Lua values of it, which may run any finalizer of the program, can't meet freed memory. All
 * zeros is an empty one; it owns its buffers. */
struct response {
  bool succeeded;
  int status;          /* 0: none was received */
  struct buffer lines; /* of the header, each "name: value" and a newline */
  struct buffer body;  /* of a failure: its message */
  struct facts facts;

  /* Of a failure. */
  enum transfer_sent sent;
  const char *kind; /* static */
  const char *word; /* static; NULL: `number` is libcurl's code */
  const char *path; /* static: the option that is at fault, or NULL */
  int number;
  bool has_connection; /* `reused` and `version` are known; of the other facts only `bytes_sent` */
};

/* Registers what responses need. */
void response_register(lua_State *L);

/* Takes the result out of a DONE transfer. No Lua, and no failure: without memory the message of a
 * failure is empty. */
void response_take(struct response *response, struct transfer *transfer);

/* Pushes the response, or nil and the failure; returns how many. Nothing is changed: when it raises a
 * memory error, it can be called again. */
int response_push(lua_State *L, const struct response *response);

/* Empties the buffers and keeps some of their memory; frees them. */
void response_clear(struct response *response);
void response_free(struct response *response);

#endif
