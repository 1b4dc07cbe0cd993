/* The JSON functions of waba.core. annotations/core.lua describes them. */
#include "compat.h"
#include "core.h"
#include "json_parts.h"

/* The largest length of a text that is decoded. Error messages contain the position as an int. */
#define DECODE_SIZE_MAX ((size_t)256 << 20)

static int json_encode(lua_State *L) {
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  if (json_write(L)) return 1;
  lua_pushnil(L);
  lua_replace(L, 1); /* [nil message path] */
  return 3;
}

static int json_plain(lua_State *L) {
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  const bool is_copy = json_make_plain(L);
  lua_settop(L, 1);
  lua_pushboolean(L, is_copy);
  return 2;
}

/* Returns an error message about the text as a whole, or NULL. */
static const char *whole_text_error(const char *text, size_t length) {
  if (length > DECODE_SIZE_MAX) return "the text is longer than 256 MiB";
  if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
    return "the text begins with a byte order mark, which JSON must not have";
  }
  if (strspn(text, " \t\r\n") == length) return "the text is empty";
  return NULL;
}

/* Returns whether the hash function of this Lua skips characters of long strings: see json_flood.c. */
static bool can_be_flooded(lua_State *L) {
#if defined(LUA_VERSION_RELEASE_NUM) && LUA_VERSION_RELEASE_NUM >= 50403
  (void)L;
  return false;
#else
  lua_getglobal(L, "jit"); /* LuaJIT itself limits the length of its hash chains */
  const bool is_luajit = lua_istable(L, -1);
  lua_pop(L, 1);
  return !is_luajit;
#endif
}

/* The upvalues of `decode`: the two values of `json_read_cache`, and whether texts are checked for hash flooding. */
#define DECODE_NAMES lua_upvalueindex(1)
#define DECODE_CACHE lua_upvalueindex(2)
#define DECODE_GUARD lua_upvalueindex(3)

static int json_decode(lua_State *L) {
  size_t length;
  luaL_checktype(L, 1, LUA_TSTRING);
  if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TTABLE);
  const char *text = lua_tolstring(L, 1, &length);
  const size_t skipped = (size_t)luaL_optinteger(L, 3, 0);
  luaL_argcheck(L, skipped <= length, 3, "the text is shorter");
  text += skipped;
  length -= skipped;
  const char *const message = whole_text_error(text, length);
  if (message != NULL) return compat_pusherror(L, message);
  lua_settop(L, 2);
  if (lua_isnil(L, 2)) lua_pushnil(L); else lua_newtable(L); /* [json lists texts] */
  lua_pushvalue(L, DECODE_NAMES);
  lua_pushvalue(L, DECODE_CACHE);
  if (!json_read(L, text, length, lua_toboolean(L, DECODE_GUARD))) return compat_pusherror(L, lua_tostring(L, -1));
  if (lua_isnil(L, 3)) return 1;
  lua_pushvalue(L, 3);
  return 2;
}

#define PICK lua_upvalueindex(1)

/* pick(json): returns a string or nil for each of the paths that were passed to `picker`. Returns nothing if the caller
 * must decode the text. */
static int pick_function(lua_State *L) {
  const struct json_pick *const pick = lua_touserdata(L, PICK);
  struct json_piece pieces[JSON_PICK_MAX];
  size_t length;
  int count = 0;
  const char *const text = luaL_checklstring(L, 1, &length);
  if (!json_pick(pick, text, length, pieces)) return 0;
  for (size_t i = 0; i < pick->count; i++) {
    if (pick->paths[i].leaf.bytes == NULL) continue;
    if (pieces[i].bytes == NULL) lua_pushnil(L);
    else lua_pushlstring(L, pieces[i].bytes, pieces[i].length);
    count++;
  }
  return count;
}

/* Reads a path "root.leaf" or "root". The text must exist as long as the picker. */
static struct json_path read_path(const char *text, size_t length) {
  const char *const dot = memchr(text, '.', length);
  if (dot == NULL) return (struct json_path){{text, length}, {NULL, 0}};
  const size_t root = (size_t)(dot - text);
  return (struct json_path){{text, root}, {dot + 1, length - root - 1}};
}

static int json_picker(lua_State *L) {
  const int count = lua_gettop(L);
  size_t total = 0, length;
  luaL_argcheck(L, count <= JSON_PICK_MAX, count, "too many paths: at most 12 are possible");
  for (int i = 1; i <= count; i++) {
    luaL_checktype(L, i, LUA_TSTRING);
    total += lua_rawlen(L, i);
  }
  struct json_pick *const pick = lua_newuserdatauv(L, sizeof *pick + total, 0);
  pick->count = (size_t)count;
  char *copy = (char *)(pick + 1);
  for (int i = 1; i <= count; i++) {
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
  json_read_cache(L);
  lua_pushboolean(L, can_be_flooded(L));
  lua_pushcclosure(L, json_decode, 3);
  lua_setfield(L, -2, "decode");
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
  lua_pushlightuserdata(L, (void *)&json_empty_array);
  lua_setfield(L, -2, "empty_array");
}
