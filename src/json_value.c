/* Prepares Lua values for the encoder, and finds the error in a value that can't be encoded. */
#include <stdarg.h>

#include "compat.h"
#include "json_parts.h"
#include "text.h"

/* Returns whether the value at `index` is the same as the field `field` of a loaded cjson module. */
static bool is_of_cjson(lua_State *L, int index, const char *field) {
  static const char *const modules[] = {"cjson", "cjson.safe"};
  const int top = lua_gettop(L);
  bool same = false;
  index = lua_absindex(L, index);
  for (size_t i = 0; i < 2 && !same; i++) {
    lua_pushliteral(L, "_LOADED");
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_pushstring(L, modules[i]);
    if (lua_istable(L, -2)) lua_rawget(L, -2);
    if (lua_istable(L, -1)) {
      lua_pushstring(L, field);
      lua_rawget(L, -2);
      same = !lua_isnil(L, -1) && lua_rawequal(L, -1, index);
    }
    lua_settop(L, top);
  }
  return same;
}

bool json_is_cjson_array(lua_State *L) {
  if (lua_type(L, -1) != LUA_TTABLE) return is_of_cjson(L, -1, "empty_array");
  if (!lua_getmetatable(L, -1)) return false;
  bool is_array = is_of_cjson(L, -1, "empty_array_mt") || is_of_cjson(L, -1, "array_mt");
  lua_pop(L, 1);
  return is_array;
}

static bool has_read_metamethod(lua_State *L) {
  static const char *const events[] = {"__index", "__len", "__pairs", "__ipairs"};
  bool is_changed = false;
  if (!lua_getmetatable(L, -1)) return false;
  for (size_t i = 0; i < sizeof events / sizeof events[0] && !is_changed; i++) {
    lua_pushstring(L, events[i]);
    lua_rawget(L, -2);
    is_changed = !lua_isnil(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return is_changed;
}

/* The largest number of parts of a value that are checked and copied. No message has more parts. */
#define PLAIN_MAX ((size_t)1 << 20)

static bool is_plain(lua_State *L, int depth, size_t *count) {
  if (lua_type(L, -1) != LUA_TTABLE || depth > JSON_ENCODE_LEVELS) return true;
  if (has_read_metamethod(L)) return false;
  luaL_checkstack(L, 8, "table with too many levels");
  lua_pushnil(L);
  while (++*count < PLAIN_MAX && lua_next(L, -2)) {
    if (!is_plain(L, depth + 1, count)) return false;
    lua_pop(L, 1);
  }
  if (*count >= PLAIN_MAX) lua_pop(L, 1);
  return true;
}

/* Replaces the value at the top of the stack by a copy. */
static void copy_plain(lua_State *L, int depth, size_t *count) {
  if (lua_type(L, -1) != LUA_TTABLE || depth > JSON_ENCODE_LEVELS || ++*count >= PLAIN_MAX) return;
  luaL_checkstack(L, 10, "table with too many levels");
  bool is_changed = has_read_metamethod(L);
  lua_newtable(L);
  if (!is_changed && lua_getmetatable(L, -2)) lua_setmetatable(L, -2);
  lua_pushnil(L);
  while (lua_next(L, -3)) { /* [.. table copy key value] */
    copy_plain(L, depth + 1, count);
    lua_pushvalue(L, -2);
    lua_insert(L, -2); /* [.. table copy key key value] */
    lua_rawset(L, -4);
  }
  lua_remove(L, -2);
}

bool json_make_plain(lua_State *L) {
  const int top = lua_gettop(L);
  size_t count = 0;
  if (is_plain(L, 1, &count)) return false;
  lua_settop(L, top);
  count = 0;
  copy_plain(L, 1, &count);
  return true;
}

/* The path from the complete value to one of its parts: a list on the C stack. */
struct step {
  const struct step *up;
  const void *table; /* the table that contains the part */
  const char *name;  /* the part's name in `table`; NULL: the part has a position */
  size_t name_length;
  lua_Number position; /* the part's position in `table`, from 1 */
};

static bool is_plain_name(const char *name, size_t length) {
  for (size_t i = 0; i < length; i++) {
    const char c = name[i];
    if (c != '_' && !(text_lower(c) >= 'a' && text_lower(c) <= 'z') && !(i > 0 && text_is_digit(c))) return false;
  }
  return length > 0;
}

static void add_path(luaL_Buffer *buffer, const struct step *step) {
  char position[32];
  if (step == NULL) return;
  add_path(buffer, step->up);
  if (step->name == NULL) {
    snprintf(position, sizeof position, "[%.0f]", (double)step->position);
    luaL_addstring(buffer, position);
  } else if (is_plain_name(step->name, step->name_length)) {
    if (step->up != NULL) luaL_addchar(buffer, '.');
    luaL_addlstring(buffer, step->name, step->name_length);
  } else {
    luaL_addstring(buffer, "[\"");
    luaL_addlstring(buffer, step->name, step->name_length);
    luaL_addstring(buffer, "\"]");
  }
}

/* Pushes the error message and the path; returns true. */
static bool found(lua_State *L, const struct step *step, const char *format, ...) {
  luaL_Buffer buffer;
  va_list arguments;
  va_start(arguments, format);
  lua_pushvfstring(L, format, arguments);
  va_end(arguments);
  luaL_buffinit(L, &buffer);
  add_path(&buffer, step);
  luaL_pushresult(&buffer);
  return true;
}

/* Checks the value at the top of the stack, which is not a table. */
static bool explain_scalar(lua_State *L, const struct step *step) {
  const int type = lua_type(L, -1);
  if (type == LUA_TSTRING) {
    size_t length, error_at;
    const char *text = lua_tolstring(L, -1, &length);
    if (text_utf8_length(text, length, NULL, &error_at)) return false;
    return found(L, step, "the text is not valid UTF-8 at byte %d", (int)error_at + 1);
  }
  if (type == LUA_TNUMBER) {
    const lua_Number number = lua_tonumber(L, -1);
    if (number - number == 0) return false; /* neither NaN nor infinite */
    return found(L, step, "%s can't be written as JSON: expected a finite number",
                 number != number ? "NaN" : "an infinite number");
  }
  if (type == LUA_TNIL || type == LUA_TBOOLEAN) return false;
  if (type == LUA_TLIGHTUSERDATA && (lua_touserdata(L, -1) == NULL || json_is_cjson_array(L))) return false;
  return found(L, step, "a value of type %s can't be written as JSON", lua_typename(L, type));
}

/* Checks the keys of the table at the top of the stack. If there is no error, `*count` is the number of array
 * elements. */
static bool explain_keys(lua_State *L, const struct step *step, lua_Number *count) {
  lua_Number last = 0;
  bool named = false;
  *count = 0;
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    const int type = lua_type(L, -2);
    lua_pop(L, 1); /* [.. table key] */
    if (type == LUA_TSTRING) {
      size_t length;
      const char *name = lua_tolstring(L, -1, &length);
      named = true;
      if (!text_utf8_length(name, length, NULL, NULL)) return found(L, step, "a name is not valid UTF-8");
    } else if (type == LUA_TNUMBER) {
      const lua_Number position = lua_tonumber(L, -1);
      if (position < 1 || position > JSON_WHOLE_MAX || (lua_Number)(long long)position != position) {
        return found(L, step, "a number that is no position can't be a name in JSON");
      }
      ++*count;
      if (position > last) last = position;
    } else {
      return found(L, step, "a value of type %s can't be a name in JSON", lua_typename(L, type));
    }
  }
  if (named && *count > 0) return found(L, step, "the table has both positions and names: expected only one of them");
  if (last != *count) {
    int hole = 1;
    for (; lua_rawgeti(L, -1, hole), !lua_isnil(L, -1); hole++) lua_pop(L, 1);
    return found(L, step, "the array has a hole at position %d", hole);
  }
  return false;
}

/* Checks a part of the value; `depth` is the number of tables that contain this part. */
static bool explain(lua_State *L, const struct step *up, int depth) {
  struct step step = {up, lua_topointer(L, -1), NULL, 0, 0};
  lua_Number count;
  if (lua_type(L, -1) != LUA_TTABLE) return explain_scalar(L, up);
  luaL_checkstack(L, 12, "table with too many levels");
  for (const struct step *above = up; above != NULL; above = above->up) {
    if (above->table == step.table) return found(L, up, "the table contains itself");
  }
  if (depth == JSON_ENCODE_LEVELS) return found(L, up, "the table has more than %d levels", JSON_ENCODE_LEVELS);
  if (explain_keys(L, up, &count)) return true;
  for (step.position = 1; step.position <= count; step.position++) {
    lua_rawgeti(L, -1, (int)step.position);
    if (explain(L, &step, depth + 1)) return true;
    lua_pop(L, 1);
  }
  if (count > 0) return false;
  lua_pushnil(L);
  while (lua_next(L, -2)) { /* [.. table name value] */
    step.name = lua_tolstring(L, -2, &step.name_length);
    if (explain(L, &step, depth + 1)) return true;
    lua_pop(L, 1);
  }
  return false;
}

bool json_explain(lua_State *L) { return explain(L, NULL, 0); }
