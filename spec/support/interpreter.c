/* An interpreter whose allocations can fail. The runtime of a sanitizer must be loaded before the code that it checks, so
 * under a sanitizer this interpreter replaces the usual one. Runs [-e code] [script [argument…]], as lua does.
 *   fail_lua(n, once, f, …)  calls f(…); n allocations of Lua succeed, then one fails if `once` is true, else all of them
 *   fail_c(n, once, f, …)    like fail_lua, for the C modules and libcurl; the modules must be linked with --wrap=malloc,
 *                            --wrap=calloc, --wrap=realloc and --wrap=free
 *   blocks()                 the number of blocks that the C modules and libcurl have allocated and not freed
 *   descriptors()            the number of open descriptors
 * fail_lua and fail_c return the number of failures, and then the results of pcall. */
#include <curl/curl.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lua_State *interrupted;

struct failing {
  long left; /* the number of allocations that will succeed; negative: all succeed */
  bool once;
  long failed;
};

static struct failing of_lua = {-1, false, 0}, of_c = {-1, false, 0};

static long blocks;

static bool fails(struct failing *failing) {
  if (failing->left < 0) return false;
  if (failing->left > 0) {
    failing->left--;
    return false;
  }
  if (failing->once) failing->left = -1;
  failing->failed++;
  errno = ENOMEM;
  return true;
}

static void *allocate(void *unused, void *block, size_t old, size_t size) {
  (void)unused;
  if (size == 0) {
    free(block);
    return NULL;
  }
  /* Lua requires that a block can always be made smaller. */
  if ((block == NULL || size > old) && fails(&of_lua)) return NULL;
  return realloc(block, size);
}

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);

static void *counted(void *block) {
  if (block != NULL) blocks++;
  return block;
}

void *__wrap_malloc(size_t size) { return fails(&of_c) ? NULL : counted(malloc(size)); }
void *__wrap_calloc(size_t count, size_t size) { return fails(&of_c) ? NULL : counted(calloc(count, size)); }

void *__wrap_realloc(void *block, size_t size) {
  if (fails(&of_c)) return NULL;
  return block == NULL ? counted(realloc(NULL, size)) : realloc(block, size);
}

void __wrap_free(void *block) {
  if (block != NULL) blocks--;
  free(block);
}

static char *failing_strdup(const char *text) {
  char *copy = __wrap_malloc(strlen(text) + 1);
  return copy == NULL ? NULL : strcpy(copy, text);
}

static int count_blocks(lua_State *L) {
  lua_pushinteger(L, blocks);
  return 1;
}

static int count_descriptors(lua_State *L) {
  int count = 0, i;
  for (i = 0; i < 1024; i++) count += fcntl(i, F_GETFD) >= 0;
  lua_pushinteger(L, count);
  return 1;
}

/* [count once function arguments..] -> [failures succeeded results..]. The upvalue is a `struct failing`. */
static int call_failing(lua_State *L) {
  struct failing *failing = lua_touserdata(L, lua_upvalueindex(1));
  long left = (long)luaL_checkinteger(L, 1);
  int status;
  failing->failed = 0;
  failing->once = lua_toboolean(L, 2);
  failing->left = left;
  status = lua_pcall(L, lua_gettop(L) - 3, LUA_MULTRET, 0);
  failing->left = -1;
  lua_pushinteger(L, failing->failed);
  lua_replace(L, 1);
  lua_pushboolean(L, status == LUA_OK);
  lua_replace(L, 2);
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

/* lua_sethook is the only function of Lua that is safe in a signal handler. */
static void on_interrupt(int number) {
  signal(number, SIG_DFL);
  lua_sethook(interrupted, stop, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static int traceback(lua_State *L) {
  luaL_traceback(L, L, lua_tostring(L, 1), 1);
  return 1;
}

/* Sets the table `arg`: the script at 0, the words before the script at negative indexes, the script's arguments from 1
 * on. */
static void push_arguments(lua_State *L, int argc, char **argv, int script) {
  int i;
  lua_createtable(L, argc, script);
  for (i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - script);
  }
  lua_setglobal(L, "arg");
}

/* Calls the loaded chunk with the script's arguments. [traceback chunk] -> [traceback] or [traceback message] */
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
  if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, __wrap_malloc, __wrap_free, __wrap_realloc, failing_strdup,
                           __wrap_calloc) != CURLE_OK) {
    return 1;
  }
  luaL_openlibs(L);
  add_failing(L, "fail_lua", &of_lua);
  add_failing(L, "fail_c", &of_c);
  lua_register(L, "blocks", count_blocks);
  lua_register(L, "descriptors", count_descriptors);
  interrupted = L;
  signal(SIGINT, on_interrupt);
  failed = run(L, argc, argv);
  if (failed) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  lua_close(L);
  return failed;
}
