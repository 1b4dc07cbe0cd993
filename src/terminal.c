#include "terminal.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat.h"

/* is_terminal(descriptor) -> boolean */
static int terminal_is_terminal(lua_State *L) {
  lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)) == 1);
  return 1;
}

/* terminal_width(descriptor) -> columns | nil */
static int terminal_width(lua_State *L) {
  struct winsize size;
  if (ioctl((int)luaL_checkinteger(L, 1), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 0;
  lua_pushinteger(L, size.ws_col);
  return 1;
}

/* file_mode(path) -> the permission bits | nil */
static int terminal_file_mode(lua_State *L) {
  struct stat status;
  if (stat(luaL_checkstring(L, 1), &status) != 0) return 0;
  lua_pushinteger(L, (lua_Integer)(status.st_mode & 07777));
  return 1;
}

static void set_of_interrupt(sigset_t *set) {
  sigemptyset(set);
  sigaddset(set, SIGINT);
}

/* hold_interrupt(hold): true keeps Ctrl-C waiting until `interrupted` takes it, false lets it act again */
static int terminal_hold_interrupt(lua_State *L) {
  sigset_t set;
  set_of_interrupt(&set);
  luaL_checktype(L, 1, LUA_TBOOLEAN);
  sigprocmask(lua_toboolean(L, 1) ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
  return 0;
}

/* interrupted() -> whether Ctrl-C came while it was held; it counts once. A blocked signal waits in the system, so that
 * no handler, and no variable for it to set, is needed. */
static int terminal_interrupted(lua_State *L) {
  sigset_t pending, set;
  int taken = 0;
  set_of_interrupt(&set);
  if (sigpending(&pending) == 0 && sigismember(&pending, SIGINT) == 1) taken = sigwait(&set, &(int){0}) == 0;
  lua_pushboolean(L, taken);
  return 1;
}

static const luaL_Reg functions[] = {
    {"is_terminal", terminal_is_terminal},       {"terminal_width", terminal_width},
    {"file_mode", terminal_file_mode},           {"hold_interrupt", terminal_hold_interrupt},
    {"interrupted", terminal_interrupted},       {NULL, NULL},
};

void terminal_register(lua_State *L) { luaL_setfuncs(L, functions, 0); }
