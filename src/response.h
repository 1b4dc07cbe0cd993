/* The result of a transfer, in C and as a Lua table: `waba.Response` or `waba.TransferFailure` of the transport
 * contract. The table of a response has its status, its body and a record of the other fields. These are set when one
 * of them is first read, since most programs read none. */
#ifndef WABA_RESPONSE_H
#define WABA_RESPONSE_H

#include <lua.h>

#include "failure.h"

/* The measurements of libcurl. */
struct facts {
  curl_off_t connect, first_byte, total; /* microseconds since the start */
  curl_off_t bytes_sent, bytes_received; /* the bytes of the bodies */
  long version;                          /* libcurl's number of the HTTP version; 0: no response was received */
  bool reused;
};

/* The struct has no pointer into the engine: creating Lua values from it may run the program's finalizers, which may
 * free the engine. All zeros: empty. The struct owns its buffers. */
struct response {
  bool succeeded;
  int status;          /* 0: no response was received */
  struct buffer lines; /* the header lines, each "name: value" and CR LF */
  struct buffer body;  /* the body; for a failure the error message */
  struct facts facts;

  /* Only for a failure. */
  struct failure failure;
  enum transfer_sent sent;
  bool has_connection; /* `reused` and `version` are known, beside `bytes_sent` */
};

/* Registers the metatables of responses. */
void response_register(lua_State *L);

/* Moves the result out of a DONE transfer. Calls no Lua and can't fail: if there is no memory for the message of a
 * failure, it is empty. */
void response_take(struct response *response, struct transfer *transfer);

/* [] -> [response] or [nil failure]; returns the number of values. Does not change the result: after a memory error it
 * can be called again. */
int response_push(lua_State *L, const struct response *response);

/* Empties the buffers and keeps some of their memory. */
void response_clear(struct response *response);

/* Frees the buffers. */
void response_free(struct response *response);

#endif
