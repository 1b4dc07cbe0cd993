/* The Lua class waba.Alarm: a descriptor that becomes readable at a time that the caller sets, for event loops without
 * timers. The descriptor is a timerfd on Linux, and a kqueue on BSD and macOS. annotations/curl.lua describes the
 * class. */
#include <errno.h>
#include <sys/types.h>
#include <unistd.h>

#include "arguments.h"
#include "classes.h"
#include "compat.h"
#include "system.h"

#if defined(__linux__)

#include <sys/timerfd.h>
#include <time.h>

static int system_open(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC); }

static void system_set(int descriptor, long long microseconds) {
  struct itimerspec setting = {{0, 0}, {0, 0}}; /* zeros: the timer never expires */
  if (microseconds >= 0) {
    setting.it_value.tv_sec = (time_t)(microseconds / 1000000);
    setting.it_value.tv_nsec = (long)(microseconds % 1000000) * 1000 + 1;
  }
  timerfd_settime(descriptor, 0, &setting, NULL);
}

#define CHILD_INHERITS true

#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || \
    defined(__DragonFly__)

#include <fcntl.h>

#include <sys/event.h>
#include <sys/time.h>

static int system_open(void) {
  int descriptor = kqueue();
  if (descriptor >= 0) fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  return descriptor;
}

static void system_set(int descriptor, long long microseconds) {
  struct kevent change;
  EV_SET(&change, 1, EVFILT_TIMER, EV_DELETE, 0, 0, 0);
  kevent(descriptor, &change, 1, NULL, 0, NULL); /* the error for a missing timer is ignored */
  if (microseconds < 0) return;
  EV_SET(&change, 1, EVFILT_TIMER, EV_ADD | EV_ONESHOT, 0, (microseconds + 999) / 1000, 0);
  kevent(descriptor, &change, 1, NULL, 0, NULL);
}

#define CHILD_INHERITS false

#else

static int system_open(void) {
  errno = ENOSYS;
  return -1;
}

static void system_set(int descriptor, long long microseconds) { (void)descriptor, (void)microseconds; }

#define CHILD_INHERITS false

#endif

static const char ALARM_CLASS[] = "waba.Alarm";

struct alarm {
  int descriptor; /* -1: closed */
  pid_t process;  /* the process that opened the descriptor */
};

static struct alarm *check_alarm(lua_State *L) { return compat_checkclass(L, 1, ALARM_CLASS); }

static void close_alarm(struct alarm *alarm) {
  if (alarm->descriptor >= 0 && (CHILD_INHERITS || alarm->process == getpid())) close(alarm->descriptor);
  alarm->descriptor = -1;
}

/* Opens a closed alarm. Returns false, with errno, if the system does not offer alarms or refuses a descriptor. */
static bool open_alarm(struct alarm *alarm) {
  alarm->descriptor = system_open();
  alarm->process = getpid();
  return alarm->descriptor >= 0;
}

/* In a child process, an alarm of the parent is opened again. */
static struct alarm *check_open(lua_State *L) {
  struct alarm *alarm = check_alarm(L);
  char text[SYSTEM_TEXT_SIZE];
  if (alarm->descriptor < 0) luaL_error(L, "attempt to use a closed alarm");
  if (alarm->process != getpid()) {
    close_alarm(alarm);
    const bool opened = open_alarm(alarm);
    if (!opened) luaL_error(L, "the alarm can't be opened in this process: %s", system_describe(errno, text));
  }
  return alarm;
}

int alarm_class_new(lua_State *L) {
  struct alarm *alarm = lua_newuserdatauv(L, sizeof *alarm, 0);
  char text[SYSTEM_TEXT_SIZE];
  alarm->descriptor = -1;
  compat_setclass(L, ALARM_CLASS);
  return open_alarm(alarm) ? 1 : compat_pusherror(L, system_describe(errno, text));
}

static int alarm_pollfd_method(lua_State *L) { return compat_integer(L, check_open(L)->descriptor); }

static int alarm_set_method(lua_State *L) {
  struct alarm *alarm = check_open(L);
  system_set(alarm->descriptor, lua_isnoneornil(L, 2) ? -1 : arguments_microseconds(L, 2));
  return 0;
}

static int alarm_gc(lua_State *L) {
  close_alarm(check_alarm(L));
  return 0;
}

static int alarm_tostring(lua_State *L) {
  return compat_string(L, check_alarm(L)->descriptor < 0 ? "alarm (closed)" : "alarm");
}

static const luaL_Reg alarm_class[] = {
    {"pollfd", alarm_pollfd_method},
    {"set", alarm_set_method},
    {"close", alarm_gc},
    {"__gc", alarm_gc},
    {"__close", alarm_gc},
    {"__tostring", alarm_tostring},
    {NULL, NULL},
};

void alarm_register(lua_State *L) { compat_newclass(L, ALARM_CLASS, alarm_class); }
