/* Reads the arguments of `engine:start`. An invalid argument raises an error. */
#pragma once

#include <lua.h>

#include "transfer.h"

/* The body; its strings are on the Lua stack. */
struct body {
  enum source_kind kind;
  const char *bytes; /* the bytes, or the path of a file */
  size_t length;
  long long size; /* SOURCE_FED: the number of bytes; -1: unknown */
};

/* Reads the body at `index`; pushes the values that must not be collected. */
void transfer_read_body(lua_State *L, int index, struct body *body);

/* Returns false, with errno, if the file can't be opened. */
bool transfer_open_source(struct source *source, const struct body *body);

/* Sets a time from the seconds at `index`; nil changes nothing. */
void transfer_read_seconds(lua_State *L, int index, long *milliseconds);

/* Sets the options that the table at `index` has; pushes a value that must stay alive. */
void transfer_read_options(lua_State *L, int index, struct transfer_options *options);
