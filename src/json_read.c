/* Creates Lua values from a JSON text in one pass. The byte after the text is NUL. JSON contains no NUL, so the end
 * must be checked only if a NUL is found. */
#include <langinfo.h>
#include <stdlib.h>

#include "compat.h"
#include "json_parts.h"
#include "text.h"

#define DECODE_LEVELS 1000

/* Parts of the text of this length or longer are not added to `texts`. */
#define PART_LENGTH_MAX ((size_t)1 << 16)

#define NAMES 256
#define ROOT NAMES /* the position of the complete value, which has no name */
#define NAME_LENGTH_MAX 29

/* A cached name. The name has the same position in this cache and, as a Lua string, in the table of names. */
struct name {
  uint16_t size; /* the number of elements that the last object or array with this name had */
  uint8_t length;
  char bytes[NAME_LENGTH_MAX];
};

struct reader {
  lua_State *L;
  const char *start, *at, *end;
  struct name *names;
  int names_index;
  int lists_index, texts_index; /* lists_index 0: `texts` gets no parts of the text at present */
  size_t strings;
  int depth;
  bool guard;
  const char *message; /* the error text; NULL: the error text is at the top of the stack */
};

void json_read_cache(lua_State *L) {
  lua_createtable(L, NAMES, 0);
  memset(lua_newuserdatauv(L, (ROOT + 1) * sizeof(struct name), 0), 0, (ROOT + 1) * sizeof(struct name));
}

/* Stores an error. `message` ends with the unit of the position, such as "byte"; `json_read` appends the position. */
static bool fail(struct reader *reader, const char *at, const char *message) {
  reader->at = at;
  reader->message = message;
  return false;
}

static void skip_space(struct reader *reader) {
  while (json_is_space(*reader->at)) reader->at++;
}

/* Counts a string. Returns false if the text causes hash flooding. */
static bool count_string(struct reader *reader) {
  const size_t length = (size_t)(reader->end - reader->start);
  if (++reader->strings != JSON_FLOOD_FREE + 1 || !reader->guard) return true;
  const bool flood = json_flood(reader->start, length, lua_newuserdatauv(reader->L, json_flood_size(length), 0));
  lua_pop(reader->L, 1);
  if (!flood) return true;
  lua_pushliteral(reader->L, "too many strings have the same hash in this Lua (hash flooding)");
  return false;
}

/* Returns the position of the first quote, backslash or NUL. */
static const char *find_special(const char *at) {
  static const bool special[256] = {['\0'] = true, ['"'] = true, ['\\'] = true};
  while (!special[(unsigned char)*at]) at++;
  return at;
}

/* Pushes the string from `start` to the closing quote; `at` is the position of its first backslash. */
static bool push_escaped(struct reader *reader, const char *start, const char *at) {
  char small[512], *out = small;
  const char *stop = at;
  while (*stop == '\\' && stop + 1 < reader->end) stop = find_special(stop + 2);
  if (*stop == '\0' && stop < reader->end) return fail(reader, stop, "a NUL in a string at byte");
  if (*stop != '"') return fail(reader, start - 1, "a string has no end at byte");
  size_t length = (size_t)(stop - start);
  if (length > sizeof small) out = lua_newuserdatauv(reader->L, length, 0);
  length = json_unescape(start, reader->end, out, &at);
  if (*at != '"') return fail(reader, at, "an invalid escape at character");
  lua_pushlstring(reader->L, out, length);
  if (out != small) lua_remove(reader->L, -2);
  reader->at = at + 1;
  return true;
}

/* Pushes a string; reader->at is the position of the opening quote. */
static bool read_string(struct reader *reader) {
  const char *const start = reader->at + 1;
  const char *const stop = find_special(start);
  if (!count_string(reader)) return false;
  if (*stop != '"') return push_escaped(reader, start, stop);
  lua_pushlstring(reader->L, start, (size_t)(stop - start));
  reader->at = stop + 1;
  return true;
}

/* Pushes the name of a member. `*name` is the place of the name in the cache, or NULL. reader->at is the position of
 * the opening quote. */
static bool read_name(struct reader *reader, struct name **name) {
  const char *const start = reader->at + 1;
  const char *const stop = find_special(start);
  const size_t length = (size_t)(stop - start);
  *name = NULL;
  if (*stop != '"' || length == 0 || length > NAME_LENGTH_MAX) return read_string(reader);
  const unsigned char *const bytes = (const unsigned char *)start;
  const unsigned hash = (unsigned)length * 7 + bytes[0] * 31U + bytes[length / 2] * 5U + bytes[length - 1] * 17U;
  struct name *const found = &reader->names[hash % NAMES];
  const int position = (int)(hash % NAMES) + 1;
  *name = found;
  reader->at = stop + 1;
  if (found->length == length && memcmp(found->bytes, start, length) == 0) {
    lua_rawgeti(reader->L, reader->names_index, position);
    return true;
  }
  if (!count_string(reader)) return false;
  lua_pushlstring(reader->L, start, length);
  lua_pushvalue(reader->L, -1);
  lua_rawseti(reader->L, reader->names_index, position);
  memcpy(found->bytes, start, length);
  found->length = (uint8_t)length;
  found->size = 0;
  return true;
}

/* Returns whether the absolute value of a whole number is above 2^53. */
static bool is_long_integer(const char *digits, size_t length) {
  static const char limit[] = "9007199254740992";
  if (length != sizeof limit - 1) return length > sizeof limit - 1;
  return memcmp(digits, limit, length) > 0;
}

/* Pushes a number with a fraction or an exponent. */
static bool push_double(struct reader *reader, const char *start) {
  const char *const point = nl_langinfo(RADIXCHAR), *const dot = memchr(start, '.', (size_t)(reader->at - start));
  const size_t before = (size_t)((dot != NULL ? dot : reader->at) - start), radix = dot != NULL ? strlen(point) : 0;
  const size_t after = dot != NULL ? (size_t)(reader->at - dot - 1) : 0;
  char small[64], *copy = small;
  if (before + radix + after >= sizeof small) copy = lua_newuserdatauv(reader->L, before + radix + after + 1, 0);
  memcpy(copy, start, before);
  memcpy(copy + before, point, radix);
  if (dot != NULL) memcpy(copy + before + radix, dot + 1, after);
  copy[before + radix + after] = '\0';
  const double number = strtod(copy, NULL);
  if (copy != small) lua_pop(reader->L, 1);
  if (number - number != 0) {
    lua_pushliteral(reader->L, "a number is too large");
    return false;
  }
  if (number >= -JSON_WHOLE_MAX && number <= JSON_WHOLE_MAX && (double)(long long)number == number) {
    compat_pushinteger(reader->L, (long long)number);
  } else {
    lua_pushnumber(reader->L, number);
  }
  return true;
}

/* Skips digits. Returns false if the text has no digits. */
static bool skip_digits(struct reader *reader) {
  const char *const start = reader->at;
  while (text_is_digit(*reader->at)) reader->at++;
  return reader->at > start;
}

/* Pushes the number that begins at reader->at. */
static bool push_number(struct reader *reader) {
  const char *const start = reader->at, *const digits = start + (*start == '-');
  bool whole = true;
  reader->at = digits;
  if (!skip_digits(reader)) return fail(reader, start, "a number has no digit after its minus at byte");
  const size_t length = (size_t)(reader->at - digits);
  if (*digits == '0' && length > 1) return fail(reader, start, "a number has a leading zero at byte");
  if (*reader->at == '.') {
    whole = false;
    reader->at++;
    if (!skip_digits(reader)) return fail(reader, start, "a number has no digit after its decimal point at byte");
  }
  if (*reader->at == 'e' || *reader->at == 'E') {
    whole = false;
    reader->at++;
    if (*reader->at == '+' || *reader->at == '-') reader->at++;
    if (!skip_digits(reader)) return fail(reader, start, "a number has no digit in its exponent at byte");
  }
  if (!whole) return push_double(reader, start);
  if (is_long_integer(digits, length)) {
    if (!count_string(reader)) return false;
    lua_pushlstring(reader->L, start, (size_t)(reader->at - start));
    return true;
  }
  long long number = 0;
  for (const char *at = digits; at < reader->at; at++) number = number * 10 + (*at - '0');
  compat_pushinteger(reader->L, *start == '-' ? -number : number);
  return true;
}

static bool push_word(struct reader *reader) {
  const size_t length = json_word_length(reader->at, reader->end);
  if (length == 0) return fail(reader, reader->at, "an invalid word: expected true, false or null at byte");
  if (*reader->at == 'n') lua_pushlightuserdata(reader->L, NULL);
  else lua_pushboolean(reader->L, *reader->at == 't');
  reader->at += length;
  return true;
}

/* Pushes a number, true, false or null. */
static bool read_scalar(struct reader *reader) {
  if (!(*reader->at >= 'a' ? push_word(reader) : push_number(reader))) return false;
  skip_space(reader);
  if (*reader->at == ',' || *reader->at == '}' || *reader->at == ']' || reader->at == reader->end) return true;
  return fail(reader, reader->at, "an unexpected character at byte");
}

/* Fails at an unexpected character. If an invalid value begins with this character, the error text describes the
 * value. */
static bool fail_order(struct reader *reader, const char *message) {
  const char *const at = reader->at;
  const char c = *at;
  if (text_is_digit(c) || c == '-' || (c >= 'a' && c <= 'z')) {
    if (!read_scalar(reader)) return false;
  } else if (c == '"') {
    if (!read_string(reader)) return false;
  } else if (at < reader->end && (c == '\0' || strchr("{}[],:", c) == NULL)) {
    return fail(reader, at, "an unexpected character at byte");
  }
  return fail(reader, at, message);
}

static bool read_value(struct reader *reader, struct name *name);

/* Enters an object or array: counts the level, and skips its first character. */
static bool enter(struct reader *reader) {
  if (++reader->depth > DECODE_LEVELS) return fail(reader, reader->at, "more than 1000 levels at byte");
  luaL_checkstack(reader->L, 8, "JSON with too many levels");
  reader->at++;
  skip_space(reader);
  return true;
}

static void leave(struct reader *reader) {
  reader->at++;
  reader->depth--;
}

/* Returns true if a comma was skipped; another element must then follow. */
static bool skip_comma(struct reader *reader) {
  skip_space(reader);
  if (*reader->at != ',') return false;
  reader->at++;
  skip_space(reader);
  return true;
}

/* The new table reserves space for as many members as the previous object with the same name had. This number is used
 * only once, because otherwise a short text could create many large tables. `name` is the cached name, or NULL. */
static bool read_object(struct reader *reader, struct name *name) {
  if (!enter(reader)) return false;
  const bool is_empty = *reader->at == '}';
  size_t size = 0;
  lua_createtable(reader->L, 0, is_empty || name == NULL ? 0 : name->size);
  if (!is_empty) {
    if (name != NULL) name->size = 0;
    do {
      struct name *member;
      if (*reader->at != '"') return fail_order(reader, "expected the name of a member at character");
      if (!read_name(reader, &member)) return false;
      skip_space(reader);
      if (*reader->at != ':') return fail_order(reader, "expected a colon at character");
      reader->at++;
      skip_space(reader);
      if (!read_value(reader, member)) return false;
      lua_rawset(reader->L, -3);
      size++;
    } while (skip_comma(reader));
    if (*reader->at != '}') return fail_order(reader, "expected a comma or the end of an object at character");
  }
  leave(reader);
  if (name != NULL) name->size = (uint16_t)(size < 64 ? size : 64);
  return true;
}

/* Returns whether the text of each object in an array must also be stored in `texts`. The name of the array is at the
 * top of the stack. */
static bool are_wanted(struct reader *reader) {
  if (reader->lists_index == 0) return false;
  lua_pushvalue(reader->L, -1);
  lua_rawget(reader->L, reader->lists_index);
  const bool wanted = lua_toboolean(reader->L, -1);
  lua_pop(reader->L, 1);
  return wanted;
}

/* Pushes an object, and stores the part of the text from which the object was created. No parts are stored for the
 * objects in this object, because the parts of a deep text would have far more bytes than the text. */
static bool read_kept_object(struct reader *reader, struct name *name) {
  const char *const start = reader->at;
  const int lists = reader->lists_index;
  reader->lists_index = 0;
  if (!read_object(reader, name)) return false;
  reader->lists_index = lists;
  const size_t length = (size_t)(reader->at - start);
  if (length >= PART_LENGTH_MAX) return true;
  lua_pushvalue(reader->L, -1);
  lua_pushlstring(reader->L, start, length);
  lua_rawset(reader->L, reader->texts_index);
  return true;
}

static bool read_array(struct reader *reader, struct name *name) {
  size_t size = 0;
  const bool wanted = are_wanted(reader);
  if (!enter(reader)) return false;
  lua_createtable(reader->L, *reader->at == ']' ? 0 : 1, 0);
  if (*reader->at != ']') {
    do {
      const bool is_kept = wanted && *reader->at == '{';
      if (!(is_kept ? read_kept_object(reader, name) : read_value(reader, name))) return false;
      lua_rawseti(reader->L, -2, (int)++size);
    } while (skip_comma(reader));
    if (*reader->at != ']') return fail_order(reader, "expected a comma or the end of an array at character");
  }
  leave(reader);
  return true;
}

/* Pushes the value at reader->at. `name` is the entry of the last member name before the value, or NULL. */
static bool read_value(struct reader *reader, struct name *name) {
  const char c = *reader->at;
  if (c == '"') return read_string(reader);
  if (c == '{') return read_object(reader, name);
  if (c == '[') return read_array(reader, name);
  if (text_is_digit(c) || c == '-' || (c >= 'a' && c <= 'z')) return read_scalar(reader);
  return fail_order(reader, "expected a value at character");
}

bool json_read(lua_State *L, const char *text, size_t length, bool guard) {
  const int cache = lua_gettop(L), lists = lua_isnil(L, cache - 3) ? 0 : cache - 3;
  struct reader reader = {
      .L = L, .start = text, .at = text, .end = text + length, .guard = guard,
      .names = lua_touserdata(L, cache), .names_index = cache - 1,
      .lists_index = lists, .texts_index = cache - 2,
  };
  skip_space(&reader);
  if (read_value(&reader, &reader.names[ROOT])) {
    skip_space(&reader);
    if (reader.at == reader.end) return true;
    fail_order(&reader, "expected the end of the text at character");
  }
  if (reader.message != NULL) lua_pushfstring(L, "%s %d", reader.message, (int)(reader.at - text) + 1);
  return false;
}
