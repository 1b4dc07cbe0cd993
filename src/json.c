/* JSON for Lua. Encoding does not use cjson, so that the text is the same with every version and fork of it and
 * without it. Decoding uses a private lua-cjson instance: one scan of the text refuses invalid input that cjson
 * accepts and rewrites numbers that it would change; then whole numbers become integers where Lua has them. */

#include <stdbool.h>
#include <string.h>

#include "compat.h"
#include "core.h"
#include "json_flood.h"
#include "json_pick.h"
#include "json_text.h"
#include "json_value.h"
#include "json_write.h"
#include "text.h"

/* cjson counts bytes with int. */
#define DECODE_SIZE_MAX ((size_t)256 << 20)

static void call_setting(lua_State *L, const char *name, lua_Number value) {
  lua_getfield(L, -1, name);
  lua_pushnumber(L, value);
  lua_call(L, 1, 0);
}

/* Pushes the function of that name from a new instance of cjson. Raises when lua-cjson is not installed, with the first
 * line of the error of `require`: without the list of the paths that it searched. */
static void push_cjson(lua_State *L, const char *name) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cjson");
  if (lua_pcall(L, 1, 1, 0) != 0) {
    const char *const reason = lua_tostring(L, -1);
    if (reason != NULL) {
      const char *const list = strstr(reason, ":\n");
      lua_pushlstring(L, reason, list != NULL ? (size_t)(list - reason) : strlen(reason));
    }
    luaL_error(L, "waba needs lua-cjson (rock lua-cjson, Debian package lua-cjson): %s",
               lua_tostring(L, -1));
  }
  lua_getfield(L, -1, "new");
  lua_call(L, 0, 1);
  call_setting(L, "decode_max_depth", JSON_DECODE_LEVELS);
  lua_getfield(L, -1, name);
  lua_insert(L, -3);
  lua_pop(L, 2);
}

/* Upvalues of `decode`. */
#define DECODER lua_upvalueindex(1)
#define DECODER_HAS_COMMA lua_upvalueindex(2)
#define DECODER_CAN_BE_FLOODED lua_upvalueindex(3)

/* An instance of cjson keeps the decimal point of the locale in which it was created. */
static void load_decoder(lua_State *L) {
  push_cjson(L, "decode");
  lua_replace(L, DECODER);
  lua_pushboolean(L, json_locale_has_comma());
  lua_replace(L, DECODER_HAS_COMMA);
}

/* Calls a function of cjson: [.. function argument] -> [.. result] and true, or [.. message] and false.
 * Raises memory errors only. */
static bool call_cjson(lua_State *L) {
  const int status = lua_pcall(L, 1, 1, 0);
  if (status == LUA_ERRMEM) lua_error(L);
  return status == 0;
}

/* Pushes nil, message and path for a value that can't be encoded. */
static int refuse(lua_State *L, const char *message) {
  lua_settop(L, 1);
  if (message != NULL || !json_explain(L)) {
    /* `json_explain` finds no error if a finalizer changed the value meanwhile. */
    lua_pushstring(L, message != NULL ? message : "the value can't be written as JSON");
    lua_pushliteral(L, "");
  }
  lua_pushnil(L);
  lua_insert(L, -3);
  return 3;
}

/* encode(value) -> json | nil, message, path */
static int json_encode(lua_State *L) {
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  switch (json_write(L)) {
  case JSON_WRITTEN: return 1;
  case JSON_TOO_LARGE: return refuse(L, "the value is larger than 64 MiB");
  default: return refuse(L, NULL);
  }
}

/* plain(value) -> value, is_copy */
static int json_plain(lua_State *L) {
  bool is_copy;
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  is_copy = json_make_plain(L);
  lua_settop(L, 1);
  lua_pushboolean(L, is_copy);
  return 2;
}

/* Pushes the text that cjson decodes. */
static void push_rewritten(lua_State *L, const struct json_scan *scan) {
  const size_t size = json_scan_size(scan);
  char *const out = lua_newuserdatauv(L, size, 0);
  json_scan_rewrite(scan, out);
  lua_pushlstring(L, out, size);
  lua_remove(L, -2);
}

static int push_scan_error(lua_State *L, const struct json_scan *scan) {
  lua_pushnil(L);
  lua_pushfstring(L, "%s at byte %d", scan->message, (int)(scan->at - scan->start) + 1);
  return 2;
}

/* Returns a message about the whole text, or NULL. */
static const char *whole_text_error(const char *text, size_t length) {
  if (length > DECODE_SIZE_MAX) return "the text is longer than 256 MiB";
  if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
    return "the text begins with a byte order mark, which JSON must not have";
  }
  if (strspn(text, " \t\r\n") == length) return "the text is empty";
  return NULL;
}

/* Whether this Lua's hash function skips characters of long strings: see json_flood.h. */
static bool can_be_flooded(lua_State *L) {
#if defined(LUA_VERSION_RELEASE_NUM) && LUA_VERSION_RELEASE_NUM >= 50403
  (void)L;
  return false;
#else
  bool is_luajit;
  lua_getglobal(L, "jit"); /* LuaJIT limits the length of its hash chains itself */
  is_luajit = lua_istable(L, -1);
  lua_pop(L, 1);
  return !is_luajit;
#endif
}

/* Whether the strings of the text collide in this Lua's string table: a denial of service. */
static bool is_flood(lua_State *L, const struct json_scan *scan, const char *text, size_t length) {
  bool flood;
  if (scan->strings <= JSON_FLOOD_FREE || !lua_toboolean(L, DECODER_CAN_BE_FLOODED)) return false;
  flood = json_flood(text, length, lua_newuserdatauv(L, json_flood_size(length), 0));
  lua_pop(L, 1);
  return flood;
}

/* decode(json) -> value | nil, message */
static int json_decode(lua_State *L) {
  struct json_scan scan;
  size_t length;
  const char *text, *message;
  luaL_checktype(L, 1, LUA_TSTRING);
  lua_settop(L, 1);
  text = lua_tolstring(L, 1, &length);
  message = whole_text_error(text, length);
  if (message != NULL) return compat_pusherror(L, message);
  if (!json_scan(&scan, text, length)) return push_scan_error(L, &scan);
  if (is_flood(L, &scan, text, length)) {
    return compat_pusherror(L, "too many strings have the same hash in this Lua (hash flooding)");
  }
  if (lua_isnil(L, DECODER) ||
      (scan.fractions && json_locale_has_comma() != (bool)lua_toboolean(L, DECODER_HAS_COMMA))) {
    load_decoder(L);
  }
  lua_pushvalue(L, DECODER);
  if (scan.rewrite) {
    push_rewritten(L, &scan);
  } else {
    lua_pushvalue(L, 1);
  }
  if (!call_cjson(L)) {
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
  }
  if (scan.huge || (LUA_VERSION_NUM >= 503 && scan.numbers)) {
    if (!json_settle(L)) return compat_pusherror(L, "a number is too large");
  }
  return 1;
}

/* Upvalue of a picker. */
#define PICK lua_upvalueindex(1)

/* pick(json) -> a string or nil for each path with a dot | nothing */
static int pick_function(lua_State *L) {
  const struct json_pick *const pick = lua_touserdata(L, PICK);
  struct json_piece pieces[JSON_PICK_MAX];
  size_t length, i;
  int count = 0;
  const char *const text = luaL_checklstring(L, 1, &length);
  if (!json_pick(pick, text, length, pieces)) return 0;
  for (i = 0; i < pick->count; i++) {
    if (pick->paths[i].leaf.bytes == NULL) continue;
    if (pieces[i].bytes == NULL) {
      lua_pushnil(L);
    } else {
      lua_pushlstring(L, pieces[i].bytes, pieces[i].length);
    }
    count++;
  }
  return count;
}

/* Reads "root.leaf" or "root"; the text lives as long as the picker. */
static struct json_path read_path(const char *text, size_t length) {
  const char *const dot = memchr(text, '.', length);
  struct json_path path = {{text, length}, {NULL, 0}};
  if (dot != NULL) {
    path.root.length = (size_t)(dot - text);
    path.leaf.bytes = dot + 1;
    path.leaf.length = length - path.root.length - 1;
  }
  return path;
}

/* picker(path, ...) -> pick */
static int json_picker(lua_State *L) {
  const int count = lua_gettop(L);
  size_t total = 0, length;
  struct json_pick *pick;
  char *copy;
  int i;
  luaL_argcheck(L, count <= JSON_PICK_MAX, count, "too many paths");
  for (i = 1; i <= count; i++) {
    luaL_checktype(L, i, LUA_TSTRING);
    total += lua_rawlen(L, i);
  }
  pick = lua_newuserdatauv(L, sizeof *pick + total, 0);
  pick->count = (size_t)count;
  copy = (char *)(pick + 1);
  for (i = 1; i <= count; i++) {
    const char *const text = lua_tolstring(L, i, &length);
    memcpy(copy, text, length);
    pick->paths[i - 1] = read_path(copy, length);
    copy += length;
  }
  lua_pushcclosure(L, pick_function, 1);
  return 1;
}

void json_register(lua_State *L) {
  lua_pushcfunction(L, json_picker);
  lua_setfield(L, -2, "picker");
  lua_pushcfunction(L, json_plain);
  lua_setfield(L, -2, "plain");
  lua_pushcfunction(L, json_encode);
  lua_setfield(L, -2, "encode");
  lua_pushnil(L);
  lua_pushboolean(L, 0);
  lua_pushboolean(L, can_be_flooded(L));
  lua_pushcclosure(L, json_decode, 3);
  lua_setfield(L, -2, "decode");
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
}
