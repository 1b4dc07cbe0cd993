/* luaopen_waba_core: the Lua face of text, request, sha256 and json. Leaf functions only: none calls
 * back into Lua code, none waits, and the module links no library but Lua's. Described in
 * lua/waba/meta.lua. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/random.h>
#else
#include <stdlib.h>
#endif

#include "compat.h"
#include "file_class.h"
#include "http1.h"
#include "json.h"
#include "request.h"
#include "sha256.h"
#include "terminal.h"
#include "text.h"

#define SHA256_CLASS "waba.Sha256"

WABA_EXPORT int luaopen_waba_core(lua_State *L);

/* The string argument at `index`, short enough that no size computed from it overflows. */
static const char *check_text(lua_State *L, int index, size_t *length) {
  const char *text = luaL_checklstring(L, index, length);
  luaL_argcheck(L, *length <= SIZE_MAX / 8, index, "string too long");
  return text;
}

/* Pushes nil and what is wrong. */
static int push_fault(lua_State *L, const char *fault) {
  lua_pushnil(L);
  lua_pushstring(L, fault);
  return 2;
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
    while (i < length && text[i] >= '0' && text[i] <= '9') i++;
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
  if (fault != NULL) return push_fault(L, fault);
  lua_pushboolean(L, 1);
  return 1;
}

/* basic(user, password) -> value | nil, message */
static int core_basic(lua_State *L) {
  size_t user_length, password_length;
  const char *user = check_text(L, 1, &user_length);
  const char *password = check_text(L, 2, &password_length);
  const size_t size = request_basic_size(user_length, password_length);
  char *out = lua_newuserdatauv(L, size, 0);
  const char *fault = request_basic(user, user_length, password, password_length, out);
  if (fault != NULL) return push_fault(L, fault);
  lua_pushlstring(L, out, size);
  text_wipe(out, size);
  return 1;
}

/* retry_after(value, now?) -> seconds | nil */
static int core_retry_after(lua_State *L) {
  size_t length;
  const char *value = luaL_checklstring(L, 1, &length);
  const lua_Number now = luaL_optnumber(L, 2, (lua_Number)time(NULL));
  long seconds;
  luaL_argcheck(L, now >= 0 && now < 1e15, 2, "not a Unix time");
  if (request_retry_after(value, length, (long long)now, &seconds)) {
    lua_pushinteger(L, (lua_Integer)seconds);
  } else {
    lua_pushnil(L);
  }
  return 1;
}

/* origin(url) -> origin | nil, message */
static int core_origin(lua_State *L) {
  char origin[REQUEST_ORIGIN_SIZE];
  size_t length;
  const char *url = luaL_checklstring(L, 1, &length);
  const char *fault = request_origin(url, length, origin);
  if (fault != NULL) return push_fault(L, fault);
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

/* Fills the number from the system's generator. Returns false with errno set when there is none. */
static bool random_bits(uint64_t *bits) {
#if defined(__linux__)
  char *next = (char *)bits;
  size_t left = sizeof *bits;
  int file;
  ssize_t count;
  do {
    count = getrandom(bits, sizeof *bits, 0); /* so few bytes come at once or not at all */
  } while (count < 0 && errno == EINTR);
  if (count == (ssize_t)sizeof *bits) return true;
  file = open("/dev/urandom", O_RDONLY | O_CLOEXEC); /* a kernel before 3.17, or a strict sandbox */
  if (file < 0) return false;
  while (left > 0) {
    count = read(file, next, left);
    if (count > 0) {
      next += count;
      left -= (size_t)count;
    } else if (count == 0 || errno != EINTR) {
      if (count == 0) errno = EIO;
      break;
    }
  }
  close(file);
  return left == 0;
#else
  arc4random_buf(bits, sizeof *bits);
  return true;
#endif
}

/* random() -> number in [0, 1) */
static int core_random(lua_State *L) {
  uint64_t bits;
  if (!random_bits(&bits)) return luaL_error(L, "no random numbers: %s", strerror(errno));
  lua_pushnumber(L, (lua_Number)(bits >> 11) / 9007199254740992.0); /* 53 bits */
  return 1;
}

/* The string field of the table at index 1. It stays on the stack. */
static const char *check_field(lua_State *L, const char *name, size_t *length) {
  lua_getfield(L, 1, name);
  if (lua_type(L, -1) != LUA_TSTRING) {
    luaL_argerror(L, 1, lua_pushfstring(L, "field '%s' must be a string", name));
  }
  return lua_tolstring(L, -1, length);
}

/* credentials { header, value, origin } -> userdata | nil, message */
static int core_credentials(lua_State *L) {
  static const struct credentials closed;
  size_t name_length, value_length, origin_length;
  const char *name, *value, *origin, *fault;
  struct credentials *credentials;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  name = check_field(L, "header", &name_length);
  value = check_field(L, "value", &value_length);
  origin = check_field(L, "origin", &origin_length);
  credentials = lua_newuserdatauv(L, sizeof *credentials, 0);
  *credentials = closed; /* sound whatever happens from here on */
  luaL_setmetatable(L, CREDENTIALS_CLASS);
  fault =
      credentials_fill(credentials, name, name_length, value, value_length, origin, origin_length);
  if (fault == credentials_no_memory) return luaL_error(L, "%s", fault);
  return fault == NULL ? 1 : push_fault(L, fault);
}

static int credentials_close(lua_State *L) {
  credentials_clear(luaL_checkudata(L, 1, CREDENTIALS_CLASS));
  return 0;
}

static int credentials_tostring(lua_State *L) {
  const struct credentials *credentials = luaL_checkudata(L, 1, CREDENTIALS_CLASS);
  if (credentials->memory == NULL) {
    lua_pushliteral(L, CREDENTIALS_CLASS " (closed)");
  } else {
    lua_pushlstring(L, credentials->line, credentials->name_length);
    lua_pushfstring(L, CREDENTIALS_CLASS " (%s for %s)", lua_tostring(L, -1), credentials->origin);
  }
  return 1;
}

/* Pushes a digest in hexadecimal digits. */
static int push_digest(lua_State *L, const unsigned char digest[SHA256_SIZE]) {
  char hex[2 * SHA256_SIZE];
  sha256_hex(digest, hex);
  lua_pushlstring(L, hex, sizeof hex);
  return 1;
}

/* hmac_sha256(key, bytes) -> hex */
static int core_hmac_sha256(lua_State *L) {
  unsigned char digest[SHA256_SIZE];
  size_t key_length, length;
  const char *key = luaL_checklstring(L, 1, &key_length);
  const char *bytes = luaL_checklstring(L, 2, &length);
  sha256_hmac(key, key_length, bytes, length, digest);
  return push_digest(L, digest);
}

/* sha256() -> hasher */
static int core_sha256(lua_State *L) {
  sha256_start(lua_newuserdatauv(L, sizeof(struct sha256), 0));
  luaL_setmetatable(L, SHA256_CLASS);
  return 1;
}

/* hasher:update(bytes) -> hasher */
static int sha256_update_method(lua_State *L) {
  struct sha256 *hash = luaL_checkudata(L, 1, SHA256_CLASS);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  sha256_update(hash, bytes, length);
  lua_settop(L, 1);
  return 1;
}

/* hasher:hex() -> the digest of the bytes so far; more may follow */
static int sha256_hex_method(lua_State *L) {
  struct sha256 hash = *(struct sha256 *)luaL_checkudata(L, 1, SHA256_CLASS);
  unsigned char digest[SHA256_SIZE];
  sha256_finish(&hash, digest);
  return push_digest(L, digest);
}

static int sha256_tostring(lua_State *L) {
  lua_pushfstring(L, SHA256_CLASS " (%p)", luaL_checkudata(L, 1, SHA256_CLASS));
  return 1;
}

static const luaL_Reg credentials_class[] = {
    {"__gc", credentials_close},
    {"__close", credentials_close},
    {"__tostring", credentials_tostring},
    {NULL, NULL},
};

static const luaL_Reg sha256_class[] = {
    {"update", sha256_update_method},
    {"hex", sha256_hex_method},
    {"__tostring", sha256_tostring},
    {NULL, NULL},
};

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
    {"random", core_random},
    {"credentials", core_credentials},
    {"sha256", core_sha256},
    {"hmac_sha256", core_hmac_sha256},
    {NULL, NULL},
};

int luaopen_waba_core(lua_State *L) {
  luaL_checkversion(L);
  compat_newclass(L, CREDENTIALS_CLASS, credentials_class);
  compat_newclass(L, SHA256_CLASS, sha256_class);
  luaL_newlib(L, functions);
  json_register(L);
  http1_register(L);
  terminal_register(L);
  file_register(L);
  return 1;
}
