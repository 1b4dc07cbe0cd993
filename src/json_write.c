/* Writes Lua values as JSON. json_value.c finds the reason why a value can't be written. */
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
  int box;          /* the index of the userdata on the stack */
  bool is_too_large;
  char first[2048]; /* holds most messages */
};

static bool grow(struct writer *writer, size_t more) {
  writer->is_too_large = more > SIZE_MAX_OF_TEXT - writer->size;
  if (writer->is_too_large) return false;
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

/* This function and the functions below return false if the value can't be written. */
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

static bool put_string(struct writer *writer, int index) {
  size_t length, growth = 2, i = 0;
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
  if (all >= 0x80 && !text_utf8_length((const char *)text, length, NULL, NULL)) return false;
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
  if (lua_isinteger(writer->L, -1)) {
    return put(writer, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)lua_tointeger(writer->L, -1)));
  }
#endif
  const lua_Number number = lua_tonumber(writer->L, -1);
  if (number - number != 0) return false;
  json_write_double(number, text);
  return put(writer, text, strlen(text));
}

static bool put_value(struct writer *writer, int depth);

/* Writes a table as an object. The stack has the first field of the table: [.. table name value] -> [.. table] */
static bool put_object(struct writer *writer, int depth) {
  lua_State *const L = writer->L;
  char before = '{';
  do {
    if (lua_type(L, -2) != LUA_TSTRING || !put_character(writer, before)) return false;
    if (!put_string(writer, -2) || !put_character(writer, ':') || !put_value(writer, depth)) return false;
    lua_pop(L, 1);
    before = ',';
  } while (lua_next(L, -2));
  return put_character(writer, '}');
}

/* Counts the elements of an array: [.. table key] -> [.. table]. Returns false if the keys are not 1 to `*count`. */
static bool count_positions(lua_State *L, size_t *count) {
  lua_Number last = 0;
  *count = 0;
  lua_pop(L, 1);
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    const lua_Number position = lua_type(L, -2) == LUA_TNUMBER ? lua_tonumber(L, -2) : 0;
    lua_pop(L, 1);
    if (position < 1 || position > JSON_WHOLE_MAX || (lua_Number)(long long)position != position) return false;
    ++*count;
    if (position > last) last = position;
  }
  return last == (lua_Number)*count;
}

/* [.. table key] -> [.. table] */
static bool put_array(struct writer *writer, int depth) {
  size_t count;
  if (!count_positions(writer->L, &count)) return false;
  for (size_t i = 1; i <= count; i++) {
    if (!put_character(writer, i == 1 ? '[' : ',')) return false;
    lua_rawgeti(writer->L, -1, (int)i);
    if (!put_value(writer, depth)) return false;
    lua_pop(writer->L, 1);
  }
  return put_character(writer, ']');
}

static bool put_table(struct writer *writer, int depth) {
  if (depth > JSON_ENCODE_LEVELS) return false;
  luaL_checkstack(writer->L, 8, "table with too many levels");
  lua_pushnil(writer->L);
  if (!lua_next(writer->L, -2)) return put(writer, json_is_cjson_array(writer->L) ? "[]" : "{}", 2);
  if (lua_type(writer->L, -2) == LUA_TSTRING) return put_object(writer, depth);
  lua_pop(writer->L, 1);
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
    return json_is_cjson_array(writer->L) && put(writer, "[]", 2);
  default: return false;
  }
}

enum json_written json_write(lua_State *L) {
  struct writer writer;
  writer.L = L;
  writer.out = writer.first;
  writer.size = 0;
  writer.is_too_large = false;
  writer.capacity = sizeof writer.first;
  lua_pushnil(L); /* replaced by the userdata when `first` becomes too small */
  writer.box = lua_gettop(L);
  lua_pushvalue(L, -2); /* [.. value box value] */
  if (!put_value(&writer, 0)) return writer.is_too_large ? JSON_TOO_LARGE : JSON_HAS_NO_FORM;
  lua_pushlstring(L, writer.out, writer.size);
  lua_replace(L, writer.box);
  lua_settop(L, writer.box);
  return JSON_WRITTEN;
}
