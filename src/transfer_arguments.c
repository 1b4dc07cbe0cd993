/* Reads the arguments of `engine:start`: see transfer_arguments.h. */
#include "transfer_arguments.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>

#include "arguments.h"
#include "compat.h"

void transfer_read_body(lua_State *L, int index, struct body *body) {
  const int type = lua_type(L, index);
  body->kind = SOURCE_NONE;
  body->size = -1;
  if (type <= LUA_TNIL) return;
  if (type == LUA_TSTRING) {
    body->kind = SOURCE_BYTES;
    body->bytes = lua_tolstring(L, index, &body->length);
    return;
  }
  luaL_argcheck(L, type == LUA_TTABLE, index, "the body must be a string or a table");
  body->bytes = arguments_text(L, index, "file");
  body->kind = body->bytes == NULL ? SOURCE_FED : SOURCE_FILE;
  if (body->kind == SOURCE_FED) arguments_size(L, index, "size", &body->size);
}

bool transfer_open_source(struct source *source, const struct body *body) {
  switch (body->kind) {
  case SOURCE_NONE: break;
  case SOURCE_BYTES: source_open_bytes(source, body->bytes, body->length); break;
  case SOURCE_FILE: return source_open_file(source, body->bytes);
  case SOURCE_FED: source_open_fed(source, (curl_off_t)body->size); break;
  }
  return true;
}

/* The timeout is at least 1, because libcurl reads 0 as no timeout. */
static long to_milliseconds(lua_Number seconds) {
  lua_Number milliseconds = ceil(seconds * 1000);
  if (milliseconds < 1) return 1;
  return milliseconds > (lua_Number)(INT_MAX / 2) ? INT_MAX / 2 : (long)milliseconds;
}

void transfer_read_seconds(lua_State *L, int index, long *milliseconds) {
  if (lua_isnil(L, index)) return;
  lua_Number seconds = luaL_checknumber(L, index);
  luaL_argcheck(L, seconds >= 0, index, "must not be negative");
  *milliseconds = to_milliseconds(seconds);
}

void transfer_read_options(lua_State *L, int index, struct transfer_options *options) {
  lua_Number number;
  if (arguments_number(L, index, "timeout", &number)) options->timeout = to_milliseconds(number);
  if (arguments_number(L, index, "connect_timeout", &number)) {
    options->connect_timeout = to_milliseconds(number);
  }
  if (arguments_number(L, index, "max_body", &number)) {
    options->max_body = number >= (lua_Number)(SIZE_MAX / 2) ? SIZE_MAX / 2 : (size_t)number;
  }
  if (arguments_number(L, index, "max_size", &number) && number < (lua_Number)options->max_size) {
    options->max_size = number < 0 ? 0 : (curl_off_t)number;
  }
  options->save_as = arguments_text(L, index, "save_as");
  options->stream = arguments_flag(L, index, "stream");
  options->progress = arguments_flag(L, index, "progress");
  if (options->stream && options->save_as != NULL) {
    luaL_error(L, "options 'stream' and 'save_as' can't be combined");
  }
}
