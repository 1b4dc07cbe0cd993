/* The Lua face of sha256.c: see lua/waba/meta.lua. */
#include "sha256_class.h"

#include "compat.h"
#include "sha256.h"

#define SHA256_CLASS "waba.Sha256"

/* Pushes a digest in hexadecimal digits. */
static int push_digest(lua_State *L, const unsigned char digest[SHA256_SIZE]) {
  char hex[2 * SHA256_SIZE];
  sha256_hex(digest, hex);
  lua_pushlstring(L, hex, sizeof hex);
  return 1;
}

/* hmac_sha256(key, bytes) -> hex */
static int hmac_sha256_function(lua_State *L) {
  unsigned char digest[SHA256_SIZE];
  size_t key_length, length;
  const char *key = luaL_checklstring(L, 1, &key_length);
  const char *bytes = luaL_checklstring(L, 2, &length);
  sha256_hmac(key, key_length, bytes, length, digest);
  return push_digest(L, digest);
}

/* sha256() -> hasher */
static int sha256_function(lua_State *L) {
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

static const luaL_Reg sha256_class[] = {
    {"update", sha256_update_method},
    {"hex", sha256_hex_method},
    {"__tostring", sha256_tostring},
    {NULL, NULL},
};

void sha256_register(lua_State *L) {
  compat_newclass(L, SHA256_CLASS, sha256_class);
  lua_pushcfunction(L, sha256_function);
  lua_setfield(L, -2, "sha256");
  lua_pushcfunction(L, hmac_sha256_function);
  lua_setfield(L, -2, "hmac_sha256");
}
