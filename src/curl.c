/* luaopen_waba_curl: the module and its classes, which lua/waba/meta.lua describes. The files *_class.c are
 * their Lua faces; everything below those knows no Lua, and libcurl calls nothing of them. */
#include <curl/curl.h>

#include "alarm_class.h"
#include "arguments.h"
#include "compat.h"
#include "engine_class.h"
#include "head_class.h"
#include "proxy.h"
#include "response.h"
#include "transfer_class.h"

/* [engines seconds] -> [] */
static int curl_wait(lua_State *L) {
  long long microseconds = arguments_microseconds(L, 2);
  struct engine **engines;
  size_t count, i;
  luaL_checktype(L, 1, LUA_TTABLE);
  count = (size_t)lua_rawlen(L, 1);
  engines = lua_newuserdatauv(L, (count + 1) * sizeof *engines, 0);
  for (i = 0; i < count; i++) {
    lua_rawgeti(L, 1, (int)i + 1);
    engines[i] = engine_class_check(L, -1);
    lua_pop(L, 1); /* the table keeps it alive */
  }
  if (!engine_wait_any(engines, count, microseconds)) return luaL_error(L, "not enough memory");
  return 0;
}

/* [url] -> [] or [message] */
static int curl_check_proxy(lua_State *L) {
  const char *fault = proxy_check(luaL_checkstring(L, 1));
  if (fault == NULL) return 0;
  lua_pushstring(L, fault);
  return 1;
}

static const luaL_Reg functions[] = {
    {"engine", engine_class_new},
    {"wait", curl_wait},
    {"check_proxy", curl_check_proxy},
    {"alarm", alarm_class_new},
    {NULL, NULL},
};

/* The oldest libcurl with every function and option that is used. The version that is loaded is known only at
 * run time. */
#define OLDEST_NUMBER 0x075500
#define OLDEST_NAME "7.85.0"

WABA_EXPORT int luaopen_waba_curl(lua_State *L);

WABA_EXPORT int luaopen_waba_curl(lua_State *L) {
  const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);
  luaL_checkversion(L);
  if (version->version_num < OLDEST_NUMBER) {
    return luaL_error(L, "waba.curl needs libcurl " OLDEST_NAME " or newer; this program has loaded libcurl %s",
                      version->version);
  }
  /* Counted by libcurl, and never undone: another user of it may live in this process. */
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    return luaL_error(L, "libcurl can't be initialised");
  }
  engine_register(L);
  head_register(L);
  transfer_register(L);
  alarm_register(L);
  response_register(L);
  luaL_newlib(L, functions);
  lua_pushstring(L, version->version);
  lua_setfield(L, -2, "version");
  return 1;
}
