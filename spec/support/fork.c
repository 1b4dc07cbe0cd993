/* fork(2) for specs, which compile this file for any Lua. This file declares the few functions of Lua that it uses,
 * because they are the same in all versions. */
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct lua_State lua_State;
typedef int (*lua_CFunction)(lua_State *);
void lua_createtable(lua_State *, int, int);
void lua_pushcclosure(lua_State *, lua_CFunction, int);
void lua_pushnumber(lua_State *, double);
void lua_setfield(lua_State *, int, const char *);
double luaL_checknumber(lua_State *, int);
int luaopen_fork(lua_State *);

static int fork_fork(lua_State *L) {
  lua_pushnumber(L, (double)fork());
  return 1;
}

/* Ends the process without calling its exit handlers. */
static int fork_exit(lua_State *L) {
  _exit((int)luaL_checknumber(L, 1));
}

/* Returns the exit code of a child, or -1 if a signal ended it. */
static int fork_wait(lua_State *L) {
  int status = 0;
  waitpid((pid_t)luaL_checknumber(L, 1), &status, 0);
  lua_pushnumber(L, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  return 1;
}

int luaopen_fork(lua_State *L) {
  lua_createtable(L, 0, 3);
  lua_pushcclosure(L, fork_fork, 0);
  lua_setfield(L, -2, "fork");
  lua_pushcclosure(L, fork_exit, 0);
  lua_setfield(L, -2, "exit");
  lua_pushcclosure(L, fork_wait, 0);
  lua_setfield(L, -2, "wait");
  return 1;
}
