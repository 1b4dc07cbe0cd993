/* The result of a transfer, in C and as a Lua table: `waba.Response` or `waba.TransferFailure` of the transport
 * contract. The table of a response has its status, its body, and a record with the values of the other fields. The
 * record is read when the program first reads another field, because most programs read only the status and the
 * body. */
#pragma once

#include <lua.h>

#include "transfer.h"

/* The measurements that libcurl has made. */
struct facts {
  curl_off_t connect, first_byte, total; /* microseconds since the start of the transfer */
  curl_off_t bytes_sent, bytes_received; /* the number of bytes of the bodies */
  long version;                          /* libcurl's number for the version of HTTP; 0: no response was received */
  bool reused;
};

/* The struct has no pointer into the engine, because finalizers of the program can free the engine while Lua values are
 * created. A struct of zeros is empty. The struct owns its buffers. */
struct response {
  bool is_brief; /* true: a 2xx response without Retry-After gets no record; set before `response_take` */
  bool succeeded;
  int status;          /* 0: no response was received */
  struct buffer lines; /* the header lines, each consisting of "name: value" and CR LF */
  struct buffer body;  /* the body; for a failure, the error message */
  struct facts facts;

  /* The fields of a failure. */
  struct failure failure;
  enum transfer_sent sent;
  bool has_connection; /* true: `reused` and `version` in `facts` are known */
};

void response_register(lua_State *L);

/* Moves the result out of a transfer in the state DONE. Calls no Lua function and can't fail: if there is no memory for
 * the error text of a failure, the error text is empty. */
void response_take(struct response *response, struct transfer *transfer);

/* [] -> [response] or [nil failure]; returns the number of values. Leaves the struct unchanged, so the caller can call
 * the function again after a memory error. */
int response_push(lua_State *L, const struct response *response);

/* Empties the buffers and keeps some of their memory. */
void response_clear(struct response *response);

void response_free(struct response *response);
