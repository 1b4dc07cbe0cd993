/* Writes Lua values as JSON, and describes the first part of a value that can't be written. */
#include "compat.h"
#include "json_parts.h"
#include "text.h"

/* The largest length in bytes of a text. Only an error in the program causes a longer text, for example a value that
 * contains the same table very often. */
#define SIZE_MAX_OF_TEXT ((size_t)64 << 20)

struct writer {
  lua_State *L;
  char *out; /* points to `first`, or into a userdata */
  size_t size, capacity;
  int box;          /* the index of the userdata on the stack; the complete value has the next index */
  char first[2048]; /* holds most messages */
};

/* This function and all functions below that return false push an error text onto the stack. Below the part that is
 * being written, the stack has the tables that contain the part, and their keys. After an error these tables and
 * keys stay on the stack for `push_path`: [value box value key value .. key part message]. */
static bool fail(struct writer *writer, const char *message) {
  lua_pushstring(writer->L, message);
  return false;
}

static bool grow(struct writer *writer, size_t more) {
  if (more > SIZE_MAX_OF_TEXT - writer->size) {
    lua_settop(writer->L, writer->box + 1); /* the complete value is too large, not the part */
    return fail(writer, "the value is larger than 64 MiB");
  }
  writer->capacity += more;
  writer->capacity = writer->capacity > SIZE_MAX_OF_TEXT / 2 ? SIZE_MAX_OF_TEXT : 2 * writer->capacity;
  memcpy(lua_newuserdatauv(writer->L, writer->capacity, 0), writer->out, writer->size);
  writer->out = lua_touserdata(writer->L, -1);
  lua_replace(writer->L, writer->box);
  return true;
}

/* Enlarges the memory for `more` further bytes. */
static inline bool reserve(struct writer *writer, size_t more) {
  return writer->capacity - writer->size >= more || grow(writer, more);
}

static inline bool put(struct writer *writer, const char *bytes, size_t length) {
  if (!reserve(writer, length)) return false;
  memcpy(writer->out + writer->size, bytes, length);
  writer->size += length;
  return true;
}

static inline bool put_character(struct writer *writer, char c) { return put(writer, &c, 1); }

/* The number of bytes by which the escape of a character is longer than the character. */
static const unsigned char growth_of[256] = {
    5, 5, 5, 5, 5, 5, 5, 5, 1, 1, 1, 5, 1, 1, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5,
    ['"'] = 1, ['/'] = 1, ['\\'] = 1, [0x7F] = 5,
};

static char *put_escape(char *out, unsigned char c) {
  static const char short_forms[] = "btn\vfr"; /* the letters in the escapes of the characters 8 to 13 */
  *out++ = '\\';
  if (growth_of[c] != 1) return out + snprintf(out, 6, "u%04x", c);
  *out++ = c < ' ' ? short_forms[c - '\b'] : (char)c;
  return out;
}

/* `index` is -1, or -2 for the name of the value at -1. */
static bool fail_utf8(struct writer *writer, int index, size_t error_at) {
  if (index == -1) {
    lua_pushfstring(writer->L, "the text is not valid UTF-8 at byte %d", (int)error_at + 1);
    return false;
  }
  lua_pop(writer->L, 2);
  return fail(writer, "a name is not valid UTF-8");
}

static bool put_string(struct writer *writer, int index) {
  size_t length, growth = 2, i = 0, error_at;
  const unsigned char *const text = (const unsigned char *)lua_tolstring(writer->L, index, &length);
  unsigned char all = 0;
  if (length > SIZE_MAX_OF_TEXT) return grow(writer, length);
  while (i < length) {
    const size_t left = length - i, next = left < sizeof(json_block) ? length : i + sizeof(json_block);
    if (left >= sizeof(json_block) && json_is_unescaped((const char *)text + i)) i = next;
    for (; i < next; i++) {
      growth += growth_of[text[i]];
      all |= text[i];
    }
  }
  if (all >= 0x80 && !text_utf8_length((const char *)text, length, NULL, &error_at)) {
    return fail_utf8(writer, index, error_at);
  }
  if (!reserve(writer, length + growth)) return false;
  char *out = writer->out + writer->size;
  writer->size += length + growth;
  *out++ = '"';
  if (growth == 2) {
    memcpy(out, text, length);
    out += length;
  } else {
    for (i = 0; i < length; i++) {
      if (growth_of[text[i]] != 0) out = put_escape(out, text[i]);
      else *out++ = (char)text[i];
    }
  }
  *out = '"';
  return true;
}

static bool put_number(struct writer *writer) {
  char text[32];
#if LUA_VERSION_NUM >= 503
  if (lua_isinteger(writer->L, -1)) return put(writer, text, text_integer(lua_tointeger(writer->L, -1), text));
#endif
  const lua_Number number = lua_tonumber(writer->L, -1);
  if (number - number != 0) {
    lua_pushfstring(writer->L, "%s can't be written as JSON: expected a finite number",
                    number != number ? "NaN" : "an infinite number");
    return false;
  }
  return put(writer, text, json_write_double(number, text));
}

static bool put_value(struct writer *writer, int depth);

/* Counts the elements of the array at the top of the stack. Returns false if the keys are not 1 to `*count`. */
static bool count_elements(struct writer *writer, size_t *count) {
  lua_State *const L = writer->L;
  lua_Number last = 0;
  bool named = false;
  *count = 0;
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    const int type = lua_type(L, -2);
    const lua_Number position = type == LUA_TNUMBER ? lua_tonumber(L, -2) : 0;
    lua_pop(L, 1); /* [.. table key] */
    if (position >= 1 && position <= JSON_WHOLE_MAX && (lua_Number)(long long)position == position) {
      ++*count;
      if (position > last) last = position;
      continue;
    }
    named |= type == LUA_TSTRING;
    if (type == LUA_TSTRING) continue;
    lua_pop(L, 1);
    if (type == LUA_TNUMBER) return fail(writer, "a number that is no position can't be a name in JSON");
    lua_pushfstring(L, "a value of type %s can't be a name in JSON", lua_typename(L, type));
    return false;
  }
  if (named) return fail(writer, "the table has both positions and names: expected only one of them");
  if (last == (lua_Number)*count) return true;
  int hole = 1;
  for (; lua_rawgeti(L, -1, hole), !lua_isnil(L, -1); hole++) lua_pop(L, 1);
  lua_pop(L, 1);
  lua_pushfstring(L, "the array has a hole at position %d", hole);
  return false;
}

/* Writes a table as an object. The stack has the first field of the table: [.. table name value] -> [.. table] */
static bool put_object(struct writer *writer, int depth) {
  lua_State *const L = writer->L;
  char before = '{';
  do {
    if (lua_type(L, -2) != LUA_TSTRING) {
      size_t count;
      lua_pop(L, 2);
      /* `count_elements` refuses a table with names and other keys, unless a finalizer has just removed the names. */
      return count_elements(writer, &count) && fail(writer, "the table was changed while it was written");
    }
    if (!put_character(writer, before) || !put_string(writer, -2)) return false;
    if (!put_character(writer, ':') || !put_value(writer, depth)) return false;
    lua_pop(L, 1);
    before = ',';
  } while (lua_next(L, -2));
  return put_character(writer, '}');
}

static bool put_array(struct writer *writer, int depth) {
  size_t count;
  if (!count_elements(writer, &count)) return false;
  for (size_t i = 1; i <= count; i++) {
    if (!put_character(writer, i == 1 ? '[' : ',')) return false;
    lua_pushinteger(writer->L, (lua_Integer)i);
    lua_rawgeti(writer->L, -2, (int)i); /* [.. table position element] */
    if (!put_value(writer, depth)) return false;
    lua_pop(writer->L, 2);
  }
  return put_character(writer, ']');
}

/* If a table on the stack contains itself, removes what is above the second occurrence of the table. */
static bool fail_levels(struct writer *writer) {
  lua_State *const L = writer->L;
  for (int i = writer->box + 3; i <= lua_gettop(L); i += 2) {
    for (int above = writer->box + 1; above < i; above += 2) {
      if (!lua_rawequal(L, i, above)) continue;
      lua_settop(L, i);
      return fail(writer, "the table contains itself");
    }
  }
  lua_pushfstring(L, "the table has more than %d levels", JSON_ENCODE_LEVELS);
  return false;
}

static bool put_table(struct writer *writer, int depth) {
  luaL_checkstack(writer->L, 8, "table with too many levels");
  if (depth > JSON_ENCODE_LEVELS) return fail_levels(writer);
  lua_pushnil(writer->L);
  if (!lua_next(writer->L, -2)) return put(writer, json_is_empty_array(writer->L) ? "[]" : "{}", 2);
  if (lua_type(writer->L, -2) == LUA_TSTRING) return put_object(writer, depth);
  lua_pop(writer->L, 2);
  return put_array(writer, depth);
}

/* Writes the value at the top of the stack, which is nested in `depth` tables. Leaves the stack unchanged. */
static bool put_value(struct writer *writer, int depth) {
  switch (lua_type(writer->L, -1)) {
  case LUA_TSTRING: return put_string(writer, -1);
  case LUA_TTABLE: return put_table(writer, depth + 1);
  case LUA_TNUMBER: return put_number(writer);
  case LUA_TBOOLEAN: return lua_toboolean(writer->L, -1) ? put(writer, "true", 4) : put(writer, "false", 5);
  case LUA_TNIL: return put(writer, "null", 4);
  case LUA_TLIGHTUSERDATA:
    if (lua_touserdata(writer->L, -1) == NULL) return put(writer, "null", 4);
    if (json_is_empty_array(writer->L)) return put(writer, "[]", 2);
  }
  lua_pushfstring(writer->L, "a value of type %s can't be written as JSON", luaL_typename(writer->L, -1));
  return false;
}

static bool is_plain_name(const char *name, size_t length) {
  for (size_t i = 0; i < length; i++) {
    const char c = name[i];
    if (c != '_' && !text_is_letter(c) && !(i > 0 && text_is_digit(c))) return false;
  }
  return length > 0;
}

/* Pushes the path of the part that can't be written. `first` is the index of the first key. */
static void push_path(lua_State *L, int first) {
  const int top = lua_gettop(L);
  size_t length;
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  for (int i = first; i < top; i += 2) {
    if (lua_type(L, i) == LUA_TNUMBER) {
      lua_pushfstring(L, "[%d]", (int)lua_tointeger(L, i));
      luaL_addvalue(&buffer);
      continue;
    }
    const char *const name = lua_tolstring(L, i, &length);
    const bool is_plain = is_plain_name(name, length);
    luaL_addstring(&buffer, !is_plain ? "[\"" : i > first ? "." : "");
    luaL_addlstring(&buffer, name, length);
    if (!is_plain) luaL_addstring(&buffer, "\"]");
  }
  luaL_pushresult(&buffer);
}

bool json_write(lua_State *L) {
  struct writer writer;
  writer.L = L;
  writer.out = writer.first;
  writer.size = 0;
  writer.capacity = sizeof writer.first;
  lua_pushnil(L); /* replaced by the userdata when `first` becomes too small */
  writer.box = lua_gettop(L);
  lua_pushvalue(L, -2); /* [.. value box value] */
  const bool is_written = put_value(&writer, 0);
  if (is_written) {
    lua_pushlstring(L, writer.out, writer.size);
  } else {
    push_path(L, writer.box + 2);
    lua_replace(L, writer.box + 1);
  }
  lua_replace(L, writer.box);
  lua_settop(L, is_written ? writer.box : writer.box + 1);
  return is_written;
}
