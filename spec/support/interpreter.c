/* An interpreter to be built with a sanitizer's runtime, which has to come before all that it watches: the usual lua
   is not. Runs [-e code] [script [argument…]], as lua does. A script can let allocations fail:
     fail_lua(n, f)   calls f while all but the next n of Lua's own fail
     fail_c(n, f)     the same for those of modules that were built with malloc renamed to failing_malloc, and of libcurl
   Both return how many have failed, and then what pcall would return. */
#include <curl/curl.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lua_State *interrupted;

struct failing {
  long left; /* how many still succeed; negative: all */
  long failed;
};

static struct failing of_lua = {-1, 0}, of_c = {-1, 0};

static int fails(struct failing *failing) {
  if (failing->left < 0) return 0;
  if (failing->left > 0) {
    failing->left--;
    return 0;
  }
  failing->failed++;
  errno = ENOMEM;
  return 1;
}

static void *allocate(void *unused, void *block, size_t old, size_t size) {
  (void)unused;
  if (size == 0) {
    free(block);
    return NULL;
  }
  /* Lua takes for granted that a block can be made smaller. */
  if ((block == NULL || size > old) && fails(&of_lua)) return NULL;
  return realloc(block, size);
}

void *failing_malloc(size_t size);
void *failing_calloc(size_t count, size_t size);
void *failing_realloc(void *block, size_t size);

void *failing_malloc(size_t size) { return fails(&of_c) ? NULL : malloc(size); }
void *failing_calloc(size_t count, size_t size) { return fails(&of_c) ? NULL : calloc(count, size); }
void *failing_realloc(void *block, size_t size) { return fails(&of_c) ? NULL : realloc(block, size); }

static char *failing_strdup(const char *text) {
  char *copy = failing_malloc(strlen(text) + 1);
  return copy == NULL ? NULL : strcpy(copy, text);
}

/* [count function] -> [failures fine results..]. Upvalue: the struct. */
static int call_failing(lua_State *L) {
  struct failing *failing = lua_touserdata(L, lua_upvalueindex(1));
  int status;
  lua_settop(L, 2);
  failing->failed = 0;
  failing->left = (long)luaL_checkinteger(L, 1);
  status = lua_pcall(L, 0, LUA_MULTRET, 0);
  failing->left = -1; /* here, as a call from Lua may need memory */
  lua_pushinteger(L, failing->failed);
  lua_replace(L, 1);
  lua_pushboolean(L, status == LUA_OK);
  lua_insert(L, 2);
  return lua_gettop(L);
}

static void add_failing(lua_State *L, const char *name, struct failing *failing) {
  lua_pushlightuserdata(L, failing);
  lua_pushcclosure(L, call_failing, 1);
  lua_setglobal(L, name);
}

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
  lua_State *L = lua_newstate(allocate, NULL);
  if (L == NULL) return 1;
  if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, failing_malloc, free, failing_realloc, failing_strdup,
                           failing_calloc) != CURLE_OK) {
    return 1;
  }
  luaL_openlibs(L);
  add_failing(L, "fail_lua", &of_lua);
  add_failing(L, "fail_c", &of_c);
  interrupted = L;
  signal(SIGINT, on_interrupt);
  failed = run(L, argc, argv);
  if (failed) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  lua_close(L);
  return failed;
}
