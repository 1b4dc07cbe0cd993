/* The module waba.curl: its functions. The classes are in alarm.c and in the files *_class.c. annotations/curl.lua
 * describes the functions and the classes. The remaining files of the module, except response*.c, are pure C and call
 * no Lua. */
#include <curl/curl.h>

#include "arguments.h"
#include "classes.h"
#include "compat.h"
#include "response.h"
#include "text.h"

static int curl_wait(lua_State *L) {
  long long microseconds = arguments_microseconds(L, 2);
  luaL_checktype(L, 1, LUA_TTABLE);
  size_t count = (size_t)lua_rawlen(L, 1);
  struct engine **engines = lua_newuserdatauv(L, (count + 1) * sizeof *engines, 0);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, 1, (int)i + 1);
    engines[i] = engine_class_check(L, -1);
    lua_pop(L, 1); /* the table at index 1 keeps the engine alive */
  }
  if (!engine_wait_any(engines, count, microseconds)) return luaL_error(L, "not enough memory");
  return 0;
}

/* `url` has the form that libcurl writes: "scheme://user:password@host:port/path". */
static const char *plain_url_error(const char *url) {
  static const char *const schemes[] = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
  const size_t length = strcspn(url, ":");
  const char *message = "its scheme is unknown: expected http, https, socks4, socks4a, socks5 or socks5h";
  for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
    if (text_is(url, length, schemes[i])) message = NULL;
  }
  if (message != NULL) return message;
  /* If the password contains an unencoded slash, question mark or hash, libcurl reads the rest of the password and the
   * @ as a path, query or fragment. */
  const char *const path = strpbrk(url + length + 3, "/?#");
  if (path == NULL || strchr(path, '@') == NULL) return NULL;
  return "a slash, question mark or hash in its user or password must be percent-encoded";
}

/* Returns NULL if libcurl can use the URL, otherwise a static error text. The error text contains no part of the URL,
 * because the URL can contain a password. */
static const char *proxy_error(const char *url) {
  if (*url == '\0') return NULL; /* no proxy, even if an environment variable names one */
  char *plain = NULL;
  CURLU *parsed = curl_url();
  CURLUcode code = parsed == NULL ? CURLUE_OUT_OF_MEMORY : CURLUE_OK;
  if (code == CURLUE_OK) code = curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME);
  if (code == CURLUE_OK) code = curl_url_get(parsed, CURLUPART_URL, &plain, 0);
  const char *message = "it is not a valid URL: expected one such as http://user:password@proxy.example:3128";
  if (code == CURLUE_OUT_OF_MEMORY) message = "not enough memory";
  if (code == CURLUE_OK) message = plain_url_error(plain);
  curl_free(plain);
  curl_url_cleanup(parsed);
  return message;
}

static int curl_check_proxy(lua_State *L) {
  const char *message = proxy_error(luaL_checkstring(L, 1));
  return message == NULL ? 0 : compat_string(L, message);
}

static const luaL_Reg functions[] = {
    {"engine", engine_class_new}, {"wait", curl_wait}, {"check_proxy", curl_check_proxy},
    {"alarm", alarm_class_new},   {NULL, NULL},
};

/* The oldest libcurl that has all functions and options that this module uses. */
#define OLDEST_NUMBER 0x075500
#define OLDEST_NAME "7.85.0"

WABA_EXPORT int luaopen_waba_curl(lua_State *L);

int luaopen_waba_curl(lua_State *L) {
  const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);
  luaL_checkversion(L);
  if (version->version_num < OLDEST_NUMBER) {
    return luaL_error(L, "waba.curl needs libcurl " OLDEST_NAME " or newer; this program has loaded libcurl %s",
                      version->version);
  }
  /* libcurl counts the calls of curl_global_init. curl_global_cleanup is not called, because the process can have other
   * users of libcurl. */
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return luaL_error(L, "libcurl can't be initialised");
  alarm_register(L);
  engine_register(L);
  head_register(L);
  response_register(L);
  transfer_register(L);
  luaL_newlib(L, functions);
  lua_pushstring(L, version->version);
  lua_setfield(L, -2, "version");
  return 1;
}
