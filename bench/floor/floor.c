/* The smallest binding of libcurl to Lua that sends the messages of the bare programs: it has no checks, no options and
 * the same headers for all messages. The difference between this binding and the bare program is the cost of Lua: the
 * library can't cost less. A process has one sender, which is in static variables. */
#include "../bare_driver.h"

#include <lauxlib.h>
#include <lua.h>

#define IN_FLIGHT_MAX 1024

/* Each message in flight has a slot. */
struct slot {
  struct message message;
  struct job job;
};

static struct driver driver;
static struct job job;
static struct slot slots[IN_FLIGHT_MAX];

/* open(url, ca_file, headers, in_flight): starts the sender. */
static int floor_open(lua_State *L) {
  long i;
  job.url = luaL_checkstring(L, 1);
  job.ca_file = luaL_checkstring(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  job.in_flight = (long)luaL_checknumber(L, 4);
  if (job.in_flight > IN_FLIGHT_MAX) stop("in_flight", "too many");
  job.lines = curl_slist_append(NULL, "Expect:");
  for (i = 1;; i++) {
    lua_rawgeti(L, 3, (int)i);
    if (lua_isnil(L, -1)) break;
    job.lines = curl_slist_append(job.lines, lua_tostring(L, -1));
    lua_pop(L, 1);
  }
  curl_global_init(CURL_GLOBAL_DEFAULT);
  driver_start(&driver, job.in_flight);
  return 0;
}

/* add(slot, body): starts a message in a slot; slots are numbered from 1. The caller keeps `body` until the message
 * has ended. */
static int floor_add(lua_State *L) {
  struct slot *slot = &slots[(long)lua_tonumber(L, 1) - 1];
  slot->job.body = lua_tolstring(L, 2, &slot->job.size);
  if (slot->message.easy == NULL) {
    slot->job.url = job.url, slot->job.ca_file = job.ca_file, slot->job.lines = job.lines;
    message_prepare(&slot->message, &slot->job);
  }
  curl_easy_setopt(slot->message.easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)slot->job.size);
  message_rewind(&slot->message);
  curl_multi_add_handle(driver.multi, slot->message.easy);
  return 0;
}

/* wait() -> slot, response, slot, response, …: waits until messages have ended, and returns them. */
static int floor_wait(lua_State *L) {
  struct message *message;
  CURLMsg *ended;
  int left, count = 0;
  turn(&driver);
  lua_settop(L, 0);
  while (count < 100 && (ended = curl_multi_info_read(driver.multi, &left)) != NULL) {
    const CURLcode code = ended->data.result;
    curl_easy_getinfo(ended->easy_handle, CURLINFO_PRIVATE, (char **)&message);
    curl_multi_remove_handle(driver.multi, message->easy);
    message_check(message, code);
    luaL_checkstack(L, 2, "too many messages");
    lua_pushinteger(L, (lua_Integer)((struct slot *)(void *)message - slots) + 1);
    lua_pushlstring(L, message->answer, message->length);
    count++;
  }
  return 2 * count;
}

__attribute__((visibility("default"))) int luaopen_floor(lua_State *L);

int luaopen_floor(lua_State *L) {
  static const luaL_Reg functions[] = {{"open", floor_open}, {"add", floor_add}, {"wait", floor_wait}, {NULL, NULL}};
  const luaL_Reg *function;
  lua_newtable(L);
  for (function = functions; function->name != NULL; function++) {
    lua_pushcfunction(L, function->func);
    lua_setfield(L, -2, function->name);
  }
  return 1;
}
