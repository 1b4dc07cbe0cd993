/* An interpreter to be built with a sanitizer's runtime, which has to come before all that it watches: the usual lua
   is not. Runs [-e code] [script [argument…]], as lua does. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

static lua_State *interrupted;

static void stop(lua_State *L, lua_Debug *where) {
  (void)where;
  lua_sethook(L, NULL, 0, 0);
  luaL_error(L, "interrupted!");
}

/* Only setting a hook is safe here. */
static void on_interrupt(int number) {
  signal(number, SIG_DFL);
  lua_sethook(interrupted, stop, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static int traceback(lua_State *L) {
  const char *message = luaL_tolstring(L, 1, NULL);
  luaL_traceback(L, L, message, 1);
  return 1;
}

/* arg: the script at 0, what came before it below, its arguments above. */
static void push_arguments(lua_State *L, int argc, char **argv, int script) {
  int i;
  lua_createtable(L, argc, script);
  for (i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - script);
  }
  lua_setglobal(L, "arg");
}

/* Calls what was loaded with the script's arguments. [traceback chunk] -> [traceback] or [traceback message] */
static int call(lua_State *L, int count, char **arguments) {
  int i;
  luaL_checkstack(L, count, "too many arguments");
  for (i = 0; i < count; i++) lua_pushstring(L, arguments[i]);
  return lua_pcall(L, count, 0, 1);
}

static int run(lua_State *L, int argc, char **argv) {
  const int has_code = argc > 2 && strcmp(argv[1], "-e") == 0;
  const int script = has_code ? 3 : 1;
  lua_pushcfunction(L, traceback);
  push_arguments(L, argc, argv, script);
  if (has_code && (luaL_loadstring(L, argv[2]) != LUA_OK || call(L, 0, NULL) != LUA_OK)) return 1;
  if (script >= argc) return 0;
  if (luaL_loadfile(L, argv[script]) != LUA_OK) return 1;
  return call(L, argc - script - 1, argv + script + 1) != LUA_OK;
}

int main(int argc, char **argv) {
  int failed;
  lua_State *L = luaL_newstate();
  if (L == NULL) return 1;
  luaL_openlibs(L);
  interrupted = L;
  signal(SIGINT, on_interrupt);
  failed = run(L, argc, argv);
  if (failed) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  lua_close(L);
  return failed;
}
