/* luaopen_waba_core: the functions of text, requests, clock and chance that come without a class, and the
 * classes beside them. Leaf functions only: none calls back into Lua code, none waits, and the module links
 * no library but Lua's. Described in lua/waba/meta.lua. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "compat.h"
#include "credentials.h"
#include "credentials_class.h"
#include "exit.h"
#include "file_class.h"
#include "http1.h"
#include "json.h"
#include "limit.h"
#include "origin.h"
#include "path.h"
#include "random.h"
#include "response_head.h"
#include "retry_after.h"
#include "sha256_class.h"
#include "terminal.h"
#include "text.h"
#include "yield.h"

WABA_EXPORT int luaopen_waba_core(lua_State *L);

/* The string argument at `index`, short enough that no size computed from it overflows. */
static const char *check_text(lua_State *L, int index, size_t *length) {
  const char *text = luaL_checklstring(L, index, length);
  luaL_argcheck(L, *length <= SIZE_MAX / 8, index, "string too long");
  return text;
}

/* utf8_length(text) -> characters | nil, position */
static int core_utf8_length(lua_State *L) {
  size_t length, characters, fault;
  const char *text = luaL_checklstring(L, 1, &length);
  if (text_utf8_length(text, length, &characters, &fault)) {
    lua_pushinteger(L, (lua_Integer)characters);
    return 1;
  }
  lua_pushnil(L);
  lua_pushinteger(L, (lua_Integer)fault + 1);
  return 2;
}

/* is_number(value, least, most) -> boolean: a string of so many digits that does not begin with 0 */
static int core_is_number(lua_State *L) {
  const lua_Integer least = luaL_checkinteger(L, 2), most = luaL_checkinteger(L, 3);
  size_t length = 0, i = 0;
  const char *text = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, &length) : "0";
  if (text[0] != '0' && (lua_Integer)length >= least && (lua_Integer)length <= most) {
    while (i < length && text_is_digit(text[i])) i++;
  }
  lua_pushboolean(L, length > 0 && i == length);
  return 1;
}

/* base64(bytes) -> string */
static int core_base64(lua_State *L) {
  size_t length;
  const char *bytes = check_text(L, 1, &length);
  const size_t size = text_base64_size(length);
  char *out = lua_newuserdatauv(L, size + 1, 0);
  text_base64(bytes, length, out);
  lua_pushlstring(L, out, size);
  return 1;
}

/* percent_encode(text) -> string */
static int core_percent_encode(lua_State *L) {
  size_t length;
  const char *text = check_text(L, 1, &length);
  const size_t size = text_percent_encode(text, length, NULL);
  char *out;
  if (size == length) { /* nothing to encode */
    lua_pushvalue(L, 1);
    return 1;
  }
  out = lua_newuserdatauv(L, size, 0);
  text_percent_encode(text, length, out);
  lua_pushlstring(L, out, size);
  return 1;
}

/* equals(secret, candidate) -> boolean */
static int core_equals(lua_State *L) {
  size_t secret_length, candidate_length;
  const char *secret = luaL_checklstring(L, 1, &secret_length);
  const char *candidate = luaL_checklstring(L, 2, &candidate_length);
  lua_pushboolean(L, text_equals(secret, secret_length, candidate, candidate_length));
  return 1;
}

/* check_header(name, value) -> true | nil, message */
static int core_check_header(lua_State *L) {
  size_t name_length, value_length;
  const char *name = luaL_checklstring(L, 1, &name_length);
  const char *value = luaL_checklstring(L, 2, &value_length);
  const char *fault = text_header_name_fault(name, name_length);
  if (fault == NULL) fault = text_header_value_fault(value, value_length);
  if (fault != NULL) return compat_pushfault(L, fault);
  lua_pushboolean(L, 1);
  return 1;
}

/* basic(user, password) -> value | nil, message */
static int core_basic(lua_State *L) {
  size_t user_length, password_length;
  const char *user = check_text(L, 1, &user_length);
  const char *password = check_text(L, 2, &password_length);
  const size_t size = credentials_basic_size(user_length, password_length);
  char *out = lua_newuserdatauv(L, size, 0);
  const char *fault = credentials_basic(user, user_length, password, password_length, out);
  if (fault != NULL) return compat_pushfault(L, fault);
  lua_pushlstring(L, out, size);
  text_wipe(out, size);
  return 1;
}

/* Returns the current Unix time: the number at `index`, or the HTTP date of a response there, or this machine's
 * clock. */
static long long check_now(lua_State *L, int index) {
  size_t length;
  long long now = (long long)time(NULL), date;
  lua_Number number;
  if (lua_type(L, index) == LUA_TSTRING) {
    const char *text = lua_tolstring(L, index, &length);
    return retry_after_date(text, length, now, &date) ? date : now;
  }
  number = luaL_optnumber(L, index, (lua_Number)now);
  luaL_argcheck(L, number >= 0 && number < 1e15, index, "not a Unix time");
  return (long long)number;
}

/* retry_after(value, now?) -> seconds | nil */
static int core_retry_after(lua_State *L) {
  size_t length;
  const char *value = luaL_checklstring(L, 1, &length);
  const long long now = check_now(L, 2);
  long seconds;
  if (retry_after_read(value, length, now, &seconds)) {
    lua_pushinteger(L, (lua_Integer)seconds);
  } else {
    lua_pushnil(L);
  }
  return 1;
}

/* origin(url) -> origin | nil, message */
static int core_origin(lua_State *L) {
  char origin[ORIGIN_SIZE];
  size_t length;
  const char *url = luaL_checklstring(L, 1, &length);
  const char *fault = origin_read(url, length, origin);
  if (fault != NULL) return compat_pushfault(L, fault);
  lua_pushstring(L, origin);
  return 1;
}

/* clock() -> seconds */
static int core_clock(lua_State *L) {
  struct timespec now;
  if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) return luaL_error(L, "%s", strerror(errno));
  lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
  return 1;
}

/* random() -> number in [0, 1) */
static int core_random(lua_State *L) {
  uint64_t bits;
  char text[LIMIT_TEXT_SIZE];
  if (!random_bits(&bits)) return luaL_error(L, "no random numbers: %s", limit_describe(errno, text));
  lua_pushnumber(L, (lua_Number)(bits >> 11) / 9007199254740992.0); /* 53 bits */
  return 1;
}

/* remove_at_exit(path, remove): sets whether the file is removed when the process exits */
static int core_remove_at_exit(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TBOOLEAN);
  if (!lua_toboolean(L, 2)) {
    exit_leaves(path);
  } else if (!exit_removes(path)) {
    return luaL_error(L, "not enough memory");
  }
  return 0;
}

/* system_error(number) -> text */
static int core_system_error(lua_State *L) {
  char text[LIMIT_TEXT_SIZE];
  lua_pushstring(L, limit_describe((int)luaL_checkinteger(L, 1), text));
  return 1;
}

static const luaL_Reg functions[] = {
    {"utf8_length", core_utf8_length},
    {"is_number", core_is_number},
    {"base64", core_base64},
    {"percent_encode", core_percent_encode},
    {"equals", core_equals},
    {"check_header", core_check_header},
    {"basic", core_basic},
    {"retry_after", core_retry_after},
    {"origin", core_origin},
    {"clock", core_clock},
    {"system_error", core_system_error},
    {"random", core_random},
    {"remove_at_exit", core_remove_at_exit},
    {NULL, NULL},
};

int luaopen_waba_core(lua_State *L) {
  luaL_checkversion(L);
  luaL_newlib(L, functions);
  credentials_register(L);
  sha256_register(L);
  json_register(L);
  http1_register(L);
  response_head_register(L);
  terminal_register(L);
  file_register(L);
  yield_register(L);
  path_register(L);
  return 1;
}
