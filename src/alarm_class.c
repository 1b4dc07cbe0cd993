/* The Lua class of alarm.c: see lua/waba/meta.lua. */
#include <errno.h>

#include "alarm.h"
#include "arguments.h"
#include "classes.h"
#include "compat.h"
#include "limit.h"

static const char ALARM_CLASS[] = "waba.Alarm";

static struct alarm *check_alarm(lua_State *L) { return compat_checkclass(L, 1, ALARM_CLASS); }

static struct alarm *check_open(lua_State *L) {
  struct alarm *alarm = check_alarm(L);
  char text[LIMIT_TEXT_SIZE];
  if (alarm->descriptor < 0) luaL_error(L, "attempt to use a closed alarm");
  if (!alarm_open(alarm)) luaL_error(L, "no alarm in this process: %s", limit_describe(errno, text));
  return alarm;
}

int alarm_class_new(lua_State *L) {
  struct alarm *alarm = lua_newuserdatauv(L, sizeof *alarm, 0);
  char text[LIMIT_TEXT_SIZE];
  alarm_init(alarm);
  compat_setclass(L, ALARM_CLASS);
  if (!alarm_open(alarm)) return compat_pusherror(L, limit_describe(errno, text));
  return 1;
}

static int alarm_pollfd_method(lua_State *L) {
  lua_pushinteger(L, check_open(L)->descriptor);
  return 1;
}

static int alarm_set_method(lua_State *L) {
  struct alarm *alarm = check_open(L);
  alarm_set(alarm, lua_isnoneornil(L, 2) ? -1 : arguments_microseconds(L, 2));
  return 0;
}

static int alarm_gc(lua_State *L) {
  alarm_close(check_alarm(L));
  return 0;
}

static int alarm_tostring(lua_State *L) {
  lua_pushstring(L, check_alarm(L)->descriptor < 0 ? "alarm (closed)" : "alarm");
  return 1;
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
