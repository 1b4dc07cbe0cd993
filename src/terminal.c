/* Functions of the system for command-line programs: terminals, signals, file modes. */
#include "core.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat.h"

/* is_terminal(descriptor) -> boolean */
int terminal_is_terminal(lua_State *L) {
  lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)) == 1);
  return 1;
}

/* terminal_size(descriptor) -> columns, rows | nothing */
int terminal_size(lua_State *L) {
  struct winsize size;
  if (ioctl((int)luaL_checkinteger(L, 1), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 0;
  lua_pushinteger(L, size.ws_col);
  lua_pushinteger(L, size.ws_row);
  return 2;
}

/* file_mode(path) -> the permission bits | nil */
int terminal_file_mode(lua_State *L) {
  struct stat status;
  if (stat(luaL_checkstring(L, 1), &status) != 0) return 0;
  lua_pushinteger(L, (lua_Integer)(status.st_mode & 07777));
  return 1;
}

/* Returns the signals that end a program. Ctrl-C, a service manager and a closed terminal send these signals. */
static sigset_t end_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  return set;
}

/* hold_interrupt(hold): true blocks the signals that end a program, so that `interrupted` can report them; false
 * unblocks them. */
int terminal_hold_interrupt(lua_State *L) {
  const sigset_t set = end_signals();
  luaL_checktype(L, 1, LUA_TBOOLEAN);
  sigprocmask(lua_toboolean(L, 1) ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
  return 0;
}

/* interrupted() -> whether a signal has arrived while the signals were blocked. Each signal is reported once. The
 * system keeps a blocked signal pending, so no signal handler is needed. */
int terminal_interrupted(lua_State *L) {
  const sigset_t set = end_signals();
  sigset_t pending;
  if (sigpending(&pending) != 0) sigemptyset(&pending);
  bool is_end = sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM) || sigismember(&pending, SIGHUP);
  lua_pushboolean(L, is_end && sigwait(&set, &(int){0}) == 0);
  return 1;
}
