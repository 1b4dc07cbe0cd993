/* The result of a transfer, in C and as a Lua table: `waba.Response` or `waba.TransferFailure` of the transport
 * contract. The table of a response has its status, its body and a record of everything else; the record becomes
 * fields when one of them is first read, since most are never read. */
#ifndef WABA_RESPONSE_H
#define WABA_RESPONSE_H

#include <lua.h>

#include "transfer.h"

/* Measurements and properties of a transfer that libcurl reports. */
struct facts {
  curl_off_t connect, first_byte, total; /* microseconds since the start */
  curl_off_t bytes_sent, bytes_received; /* of the bodies */
  long version;                          /* of HTTP, as libcurl numbers it; 0: no response was received */
  bool reused;
};

/* The result of a transfer that has ended. It has no pointer into the engine, so that creating Lua values from
 * it, which may run any finalizer of the program, can't access freed memory. A struct of zeros is empty; it owns
 * its buffers. */
struct response {
  bool succeeded;
  int status;          /* 0: none was received */
  struct buffer lines; /* of the header, each "name: value" and CR LF */
  struct buffer body;  /* of a failure: its message */
  struct facts facts;

  /* Of a failure. */
  enum transfer_sent sent;
  const char *kind; /* static */
  const char *word; /* static; NULL: `number` is libcurl's code */
  const char *path; /* static: the invalid option, or NULL */
  int number;
  bool has_connection; /* `reused` and `version` are known; of the other facts only `bytes_sent` */
};

/* Registers what responses need. */
void response_register(lua_State *L);

/* Moves the result out of a DONE transfer. Calls no Lua and can't fail: without memory the message of a failure
 * is empty. */
void response_take(struct response *response, struct transfer *transfer);

/* Pushes the response, or nil and the failure; returns the number of values. Does not change the result: after
 * a memory error it can be called again. */
int response_push(lua_State *L, const struct response *response);

/* The first empties the buffers and keeps some of their memory; the second frees them. */
void response_clear(struct response *response);
void response_free(struct response *response);

#endif
