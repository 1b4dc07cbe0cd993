/* Functions of the system for command-line programs: terminals and signals. annotations/core.lua describes
 * them. */
#include "core.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "compat.h"

int terminal_is_terminal(lua_State *L) { return compat_boolean(L, isatty((int)luaL_checkinteger(L, 1)) == 1); }

int terminal_size(lua_State *L) {
  struct winsize size;
  if (ioctl((int)luaL_checkinteger(L, 1), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 0;
  lua_pushinteger(L, size.ws_col);
  lua_pushinteger(L, size.ws_row);
  return 2;
}

/* The signals that end a program. Ctrl-C, a service manager and a closed terminal send these signals. */
static const int END_SIGNALS[] = {SIGINT, SIGTERM, SIGHUP};
enum { END_SIGNAL_COUNT = sizeof END_SIGNALS / sizeof END_SIGNALS[0] };

/* Signals within this number of seconds count as one signal, because some programs, such as timeout, send a signal
 * twice. */
static const double TOGETHER = 0.2;

static struct sigaction previous[END_SIGNAL_COUNT]; /* the actions that `hold_interrupt(false)` restores */
static int is_holding;
/* `held` is the first signal since `hold_interrupt(true)`; 0: no signal. `is_reported` is 1 after `interrupted` has
 * reported this signal. */
static volatile sig_atomic_t held, is_reported;
static struct timespec held_at;

/* Keeps the first signal for `interrupted`. A later signal ends the program, also if the program is blocked. */
static void hold_signal(int number) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  double passed = (double)(now.tv_sec - held_at.tv_sec) + (double)(now.tv_nsec - held_at.tv_nsec) / 1e9;
  if (!held) {
    held = number;
    held_at = now;
  } else if (passed > TOGETHER) {
    signal(number, SIG_DFL);
    raise(number);
  }
}

static void hold_signals(void) {
  struct sigaction action = {.sa_handler = hold_signal, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < END_SIGNAL_COUNT; i++) sigaddset(&action.sa_mask, END_SIGNALS[i]);
  held = is_reported = 0;
  for (int i = 0; i < END_SIGNAL_COUNT; i++) {
    sigaction(END_SIGNALS[i], &action, &previous[i]);
    /* A program that nohup has started must still ignore SIGHUP. */
    if (END_SIGNALS[i] == SIGHUP && previous[i].sa_handler == SIG_IGN) sigaction(SIGHUP, &previous[i], NULL);
  }
}

static void release_signals(void) {
  for (int i = 0; i < END_SIGNAL_COUNT; i++) sigaction(END_SIGNALS[i], &previous[i], NULL);
  if (held && !is_reported) raise(held);
}

int terminal_hold_interrupt(lua_State *L) {
  luaL_checktype(L, 1, LUA_TBOOLEAN);
  int hold = lua_toboolean(L, 1);
  if (hold == is_holding) return 0;
  is_holding = hold;
  if (hold) hold_signals();
  else release_signals();
  return 0;
}

int terminal_interrupted(lua_State *L) {
  const int is_new = is_holding && held && !is_reported;
  if (is_new) is_reported = 1;
  return compat_boolean(L, is_new);
}
