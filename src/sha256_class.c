/* The Lua class of sha256.c: see annotations/core.lua. */
#include "compat.h"
#include "core.h"
#include "sha256.h"

static const char SHA256_CLASS[] = "waba.Sha256";

static int push_hex(lua_State *L, const unsigned char digest[SHA256_SIZE]) {
  char hex[2 * SHA256_SIZE];
  sha256_hex(digest, hex);
  return compat_bytes(L, hex, sizeof hex);
}

int sha256_hmac_function(lua_State *L) {
  unsigned char digest[SHA256_SIZE];
  size_t key_length, length;
  const char *key = luaL_checklstring(L, 1, &key_length);
  const char *bytes = luaL_checklstring(L, 2, &length);
  sha256_hmac(key, key_length, bytes, length, digest);
  return push_hex(L, digest);
}

static struct sha256 *check_sha256(lua_State *L) { return compat_checkclass(L, 1, SHA256_CLASS); }

int sha256_new(lua_State *L) {
  sha256_start(lua_newuserdatauv(L, sizeof(struct sha256), 0));
  compat_setclass(L, SHA256_CLASS);
  return 1;
}

static int sha256_update_method(lua_State *L) {
  struct sha256 *hash = check_sha256(L);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  sha256_update(hash, bytes, length);
  lua_settop(L, 1);
  return 1;
}

static int sha256_hex_method(lua_State *L) {
  struct sha256 hash = *check_sha256(L);
  unsigned char digest[SHA256_SIZE];
  sha256_finish(&hash, digest);
  return push_hex(L, digest);
}

static int sha256_tostring(lua_State *L) {
  lua_pushfstring(L, "%s (%p)", SHA256_CLASS, (void *)check_sha256(L));
  return 1;
}

static const luaL_Reg sha256_class[] = {
    {"update", sha256_update_method},
    {"hex", sha256_hex_method},
    {"__tostring", sha256_tostring},
    {NULL, NULL},
};

void sha256_register(lua_State *L) { compat_newclass(L, SHA256_CLASS, sha256_class); }
