/* Feeds libFuzzer's inputs to a function of spec/fuzz/targets.lua, in a Lua with the C modules linked in, so that the
 * fuzzer records which C code an input executes. The name of the function is in FUZZ_TARGET: see scripts/fuzz. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int luaopen_waba_core(lua_State *L);
int luaopen_waba_curl(lua_State *L);

static lua_State *L;

static void stop(const char *what) {
  fprintf(stderr, "%s: %s\n", what, lua_tostring(L, -1));
  abort();
}

static void preload(const char *name, lua_CFunction open) {
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, open);
  lua_setfield(L, -2, name);
  lua_settop(L, 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  L = luaL_newstate();
  if (L == NULL) abort();
  luaL_openlibs(L);
  preload("waba.core", luaopen_waba_core);
  preload("waba.curl", luaopen_waba_curl);
  if (luaL_dofile(L, "spec/fuzz/targets.lua") != LUA_OK) stop("the targets");
  lua_getfield(L, 1, getenv("FUZZ_TARGET"));
  if (!lua_isfunction(L, -1)) abort();
  lua_replace(L, 1);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  lua_pushvalue(L, 1);
  lua_pushlstring(L, (const char *)bytes, size);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) stop("the input");
  lua_settop(L, 1);
  return 0;
}
