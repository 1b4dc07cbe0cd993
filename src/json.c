/* JSON for Lua through a private lua-cjson instance, with its traps closed.
 *
 * Encoding: cjson writes the text, `inspect` reads it: whatever cjson may have got wrong shows there.
 * Only then `survey` walks the value and tells what is right after all, numbers that cjson shortens are
 * written by us, and `explain` names the place of a fault. Most messages need none of the three.
 * Decoding: `scan` reads the text once, sees to what cjson is lax about, and rewrites what it can't
 * hold; `settle` makes whole numbers integers where Lua has them. */
#include "json.h"

#include <langinfo.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compat.h"
#include "text.h"

#define ENCODE_LEVELS 100
#define DECODE_LEVELS 1000

/* cjson counts bytes with int and writes up to six for one: more would overflow. */
#define ENCODE_SIZE_MAX ((size_t)64 << 20)
#define DECODE_SIZE_MAX ((size_t)256 << 20)

/* A Lua heap of more KiB may hold a string that is too long for cjson. */
#define HEAP_SAFE (256 << 10)

/* cjson keeps the buffer it encodes into, which is faster; after a longer text it is given back. */
#define ENCODE_KEPT ((size_t)64 << 10)

/* Doubles count up to here one by one. */
#define WHOLE_MAX 9007199254740992.0

/* cjson writes 14 digits: whole numbers below this come out as they are. */
#define SHORT_MAX 1e14

/* Begins a string that stands for a number while cjson encodes. No UTF-8 text has this byte. */
#define MARK '\xFF'

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* ---- The private instance. ---------------------------------------------------------------------- */

static void call_setting(lua_State *L, const char *name, lua_Number value) {
  lua_getfield(L, -1, name);
  lua_pushnumber(L, value);
  lua_call(L, 1, 0);
}

/* Pushes the function of that name from a new instance of cjson. Raises when lua-cjson is not there. */
static void push_cjson(lua_State *L, const char *name) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cjson");
  if (lua_pcall(L, 1, 1, 0) != 0) {
    luaL_error(L, "waba needs lua-cjson (rock lua-cjson, Debian package lua-cjson): %s",
               lua_tostring(L, -1));
  }
  lua_getfield(L, -1, "new");
  lua_call(L, 0, 1);
  call_setting(L, "encode_max_depth", ENCODE_LEVELS);
  call_setting(L, "decode_max_depth", DECODE_LEVELS);
  lua_getfield(L, -1, name);
  lua_insert(L, -3);
  lua_pop(L, 2);
}

/* Upvalue of `encode`. */
#define ENCODER lua_upvalueindex(1)

/* Upvalues of `decode`. */
#define DECODER lua_upvalueindex(1)
#define DECODER_KNOWS_COMMA lua_upvalueindex(2)

static bool locale_has_comma(void) { return strcmp(nl_langinfo(RADIXCHAR), ".") != 0; }

/* cjson learns what the locale's decimal point is when an instance is made. */
static void load_decoder(lua_State *L) {
  push_cjson(L, "decode");
  lua_replace(L, DECODER);
  lua_pushboolean(L, locale_has_comma());
  lua_replace(L, DECODER_KNOWS_COMMA);
}

/* Calls a function of cjson: [.. function argument] -> [.. result] and true, or [.. message] and false.
 * Nothing but a lack of memory is raised. */
static bool call_cjson(lua_State *L) {
  const int status = lua_pcall(L, 1, 1, 0);
  if (status == LUA_ERRMEM) lua_error(L);
  return status == 0;
}

/* ---- Encoding: numbers. ------------------------------------------------------------------------- */

/* Writes a double, whatever the locale: a whole one that fits into 64 bits as an integer, others with as
 * few digits as tell them from their neighbours. */
static void write_double(double number, char out[32]) {
  int digits;
  char *from, *to;
  if (number > -0x1p63 && number < 0x1p63 && (double)(long long)number == number) {
    snprintf(out, 32, "%lld", (long long)number);
    return;
  }
  for (digits = 14; digits <= 17; digits++) {
    snprintf(out, 32, "%.*g", digits, number);
    if (strtod(out, NULL) == number) break;
  }
  for (from = to = out; *from != '\0'; from++) {
    if (strchr("0123456789+-e", *from) != NULL) {
      *to++ = *from;
    } else if (to == out ||
               to[-1] != '.') { /* the locale's decimal point, of one byte or several */
      *to++ = '.';
    }
  }
  *to = '\0';
}

/* Whether cjson writes this fraction so that it can be read back. */
static bool is_short_fraction(double number) {
  char text[32];
  if (locale_has_comma()) return false;
  if (number > -1e5 && number < 1e5) {
    /* A decimal of up to eight places: what 14 digits print. Both operands are exact. */
    const double scaled = number * 1e8;
    if ((double)(long long)(scaled + (scaled < 0 ? -0.5 : 0.5)) / 1e8 == number) return true;
  }
  snprintf(text, sizeof text, "%.14g", number);
  return strtod(text, NULL) == number;
}

/* Whether cjson writes the number at `index` so that it can be read back. It is finite. */
static bool is_short_number(lua_State *L, int index) {
  lua_Number number;
#if LUA_VERSION_NUM >= 503
  if (lua_isinteger(L, index)) {
    const lua_Integer integer = lua_tointeger(L, index);
    return integer < (lua_Integer)SHORT_MAX && integer > -(lua_Integer)SHORT_MAX;
  }
#endif
  number = lua_tonumber(L, index);
  if (number >= SHORT_MAX || number <= -SHORT_MAX) return false;
  return (double)(long long)number == number || is_short_fraction(number);
}

/* Replaces the number on the top of the stack by the string that stands for it. */
static void mark_number(lua_State *L) {
  char text[34];
  text[0] = MARK;
#if LUA_VERSION_NUM >= 503
  if (lua_isinteger(L, -1)) {
    snprintf(text + 1, sizeof text - 1, "%lld", (long long)lua_tointeger(L, -1));
  } else
#endif
  {
    write_double(lua_tonumber(L, -1), text + 1);
  }
  lua_pop(L, 1);
  lua_pushstring(L, text);
}

/* Whether the number is neither NaN nor infinite. */
static bool is_finite(lua_Number number) { return number - number == 0; }

/* ---- Encoding: the survey. ---------------------------------------------------------------------- */

struct survey {
  size_t size;       /* about what the text will have */
  bool long_numbers; /* some number needs more digits than cjson writes */
};

/* Takes note of the value on the top of the stack, which is no table. False: JSON has no form for it. */
static bool survey_scalar(lua_State *L, struct survey *survey) {
  survey->size += 8;
  switch (lua_type(L, -1)) {
  case LUA_TSTRING: survey->size += lua_rawlen(L, -1); return true;
  case LUA_TNUMBER:
    if (!is_finite(lua_tonumber(L, -1))) return false;
    if (!is_short_number(L, -1)) survey->long_numbers = true;
    return true;
  case LUA_TNIL:
  case LUA_TBOOLEAN: return true;
  case LUA_TLIGHTUSERDATA: return lua_touserdata(L, -1) == NULL;
  default: return false;
  }
}

/* What is known of a table on the way down. */
struct level {
  lua_Number count; /* of positions so far */
  lua_Number last;  /* the highest of them */
  bool named;       /* has names */
};

/* Takes note of the key below the top of the stack. False: it doesn't fit to the others. */
static bool survey_key(lua_State *L, struct survey *survey, struct level *level) {
  const int type = lua_type(L, -2);
  if (type == LUA_TSTRING) {
    survey->size += lua_rawlen(L, -2);
    level->named = true;
    return level->count == 0;
  }
  if (type == LUA_TNUMBER) {
    const lua_Number position = lua_tonumber(L, -2);
    if (level->named || position < 1 || position > (lua_Number)ENCODE_SIZE_MAX ||
        (lua_Number)(long long)position != position) {
      return false;
    }
    level->count++;
    if (position > level->last) level->last = position;
    return true;
  }
  return false;
}

/* Walks the value on the top of the stack. False: something is wrong with it. Leaves the stack higher
 * in that case. */
static bool survey_value(lua_State *L, struct survey *survey) {
  struct level levels[ENCODE_LEVELS];
  int depth = 0;
  if (lua_type(L, -1) != LUA_TTABLE) return survey_scalar(L, survey);
  memset(&levels[0], 0, sizeof levels[0]);
  lua_pushnil(L);
  for (;;) { /* [.. table key] for each level */
    if (!lua_next(L, -2)) {
      if (levels[depth].last != levels[depth].count) return false;
      if (depth-- == 0) return true;
    } else { /* [.. table key value] */
      if (!survey_key(L, survey, &levels[depth]) || survey->size > ENCODE_SIZE_MAX) return false;
      if (lua_type(L, -1) == LUA_TTABLE) {
        if (++depth == ENCODE_LEVELS) return false;
        memset(&levels[depth], 0, sizeof levels[depth]);
        survey->size += 8;
        luaL_checkstack(L, 8, "table with too many levels");
        lua_pushnil(L);
        continue;
      }
      if (!survey_scalar(L, survey)) return false;
    }
    lua_pop(L, 1);
  }
}

/* ---- Encoding: what is wrong, and where. -------------------------------------------------------- */

/* One step of the way from the whole value to a part of it; they lie on the C stack. */
struct step {
  const struct step *up;
  const void *table; /* in which the step is taken */
  const char *name;  /* or NULL */
  size_t name_length;
  lua_Number position; /* from 1, without a name */
};

static bool is_plain_name(const char *name, size_t length) {
  size_t i;
  for (i = 0; i < length; i++) {
    const char c = name[i];
    if (!(c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
          (i > 0 && c >= '0' && c <= '9'))) {
      return false;
    }
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

/* Completes [.. message] to [.. message path]; returns true for "found". */
static bool found(lua_State *L, const struct step *step) {
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  add_path(&buffer, step);
  luaL_pushresult(&buffer);
  return true;
}

/* Looks at the value on the top of the stack, which is no table. */
static bool explain_scalar(lua_State *L, const struct step *step) {
  const int type = lua_type(L, -1);
  if (type == LUA_TSTRING) {
    size_t length, fault;
    const char *text = lua_tolstring(L, -1, &length);
    if (text_utf8_length(text, length, NULL, &fault)) return false;
    lua_pushfstring(L, "the text is not valid UTF-8 at byte %d", (int)fault + 1);
  } else if (type == LUA_TNUMBER) {
    const lua_Number number = lua_tonumber(L, -1);
    if (is_finite(number)) return false;
    lua_pushfstring(L, "%s has no form in JSON", number != number ? "NaN" : "an infinite number");
  } else {
    if (type == LUA_TNIL || type == LUA_TBOOLEAN) return false;
    if (type == LUA_TLIGHTUSERDATA && lua_touserdata(L, -1) == NULL) return false;
    lua_pushfstring(L, "a value of type %s has no form in JSON", lua_typename(L, type));
  }
  return found(L, step);
}

/* Looks at the keys of the table on the top of the stack. Without a fault, `*count` is the number of
 * positions. */
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
      if (!text_utf8_length(name, length, NULL, NULL)) {
        lua_pushliteral(L, "a name is not valid UTF-8");
        return found(L, step);
      }
    } else if (type == LUA_TNUMBER) {
      const lua_Number position = lua_tonumber(L, -1);
      if (position < 1 || position > WHOLE_MAX || (lua_Number)(long long)position != position) {
        lua_pushliteral(L, "a number that is no position can't be a name in JSON");
        return found(L, step);
      }
      ++*count;
      if (position > last) last = position;
    } else {
      lua_pushfstring(L, "a value of type %s can't be a name in JSON", lua_typename(L, type));
      return found(L, step);
    }
  }
  if (named && *count > 0) {
    lua_pushliteral(L, "the table has both positions and names");
    return found(L, step);
  }
  if (last != *count) {
    int hole = 1;
    for (; lua_rawgeti(L, -1, hole), !lua_isnil(L, -1); hole++) lua_pop(L, 1);
    lua_pushfstring(L, "the array has a hole at position %d", hole);
    return found(L, step);
  }
  return false;
}

/* Looks for the first fault of the value on the top of the stack, in arrays from the front. Leaves
 * [.. message path] and returns true, or leaves the stack as it was. `depth` tables stand above. */
static bool explain(lua_State *L, const struct step *up, int depth) {
  struct step step = {up, NULL, NULL, 0, 0};
  const struct step *above;
  lua_Number count;
  if (lua_type(L, -1) != LUA_TTABLE) return explain_scalar(L, up);
  luaL_checkstack(L, 12, "table with too many levels");
  step.table = lua_topointer(L, -1);
  for (above = up; above != NULL; above = above->up) {
    if (above->table == step.table) {
      lua_pushliteral(L, "the table contains itself");
      return found(L, up);
    }
  }
  if (depth == ENCODE_LEVELS) {
    lua_pushfstring(L, "the table has more than %d levels", ENCODE_LEVELS);
    return found(L, up);
  }
  if (explain_keys(L, up, &count)) return true;
  if (count > 0) {
    for (step.position = 1; step.position <= count; step.position++) {
      lua_rawgeti(L, -1, (int)step.position);
      if (explain(L, &step, depth + 1)) return true;
      lua_pop(L, 1);
    }
    return false;
  }
  lua_pushnil(L);
  while (lua_next(L, -2)) { /* [.. table name value] */
    step.name = lua_tolstring(L, -2, &step.name_length);
    if (explain(L, &step, depth + 1)) return true;
    lua_pop(L, 1);
  }
  return false;
}

/* ---- Encoding: the text. ------------------------------------------------------------------------ */

/* Replaces the value on the top of the stack by a copy in which strings stand for long numbers. The
 * value was surveyed. */
static void mark_numbers(lua_State *L) {
  if (lua_type(L, -1) == LUA_TNUMBER) {
    if (!is_short_number(L, -1)) mark_number(L);
    return;
  }
  if (lua_type(L, -1) != LUA_TTABLE) return;
  luaL_checkstack(L, 12, "table with too many levels");
  lua_createtable(L, (int)lua_rawlen(L, -1), 0);
  lua_pushnil(L);
  while (lua_next(L, -3)) { /* [.. table copy key value] */
    mark_numbers(L);
    lua_pushvalue(L, -2);
    lua_insert(L, -2); /* [.. table copy key key value] */
    lua_rawset(L, -4);
  }
  lua_remove(L, -2);
}

/* Replaces the text on the top of the stack: the marked strings in it become the numbers they stand
 * for. */
static void unmark_numbers(lua_State *L) {
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  const char *const end = text + length;
  char *const start = lua_newuserdatauv(L, length, 0);
  char *out = start;
  const char *mark;
  while ((mark = memchr(text, MARK, (size_t)(end - text))) != NULL) { /* "\xFF123" */
    const char *quote = memchr(mark, '"', (size_t)(end - mark));
    memcpy(out, text, (size_t)(mark - 1 - text));
    out += mark - 1 - text;
    memcpy(out, mark + 1, (size_t)(quote - mark - 1));
    out += quote - mark - 1;
    text = quote + 1;
  }
  memcpy(out, text, (size_t)(end - text));
  out += end - text;
  lua_pushlstring(L, start, (size_t)(out - start));
}

/* Whether the quote at `quote` is part of a string that begins at `start`. */
static bool is_escaped(const char *start, const char *quote) {
  const char *at = quote;
  while (at > start && at[-1] == '\\') at--;
  return (quote - at) % 2 == 1;
}

/* Reads what cjson wrote. False: it may not be what the value means. cjson writes null for a hole, a
 * name of digits for a position among names, and shortens numbers; one of its forks writes []. */
static bool inspect(const char *at, const char *end) {
  while (at < end) {
    const char c = *at++;
    if (c == '"') {
      const char *const start = at;
      for (;; at++) {
        at = memchr(at, '"', (size_t)(end - at));
        if (at == NULL) return false;
        if (at[-1] != '\\' || !is_escaped(start, at)) break;
      }
      at++;
      if (at < end && *at == ':' && (*start == '-' || is_digit(*start))) return false;
    } else if (c == '-' || is_digit(c) || c == 'n') {
      return false;
    } else if (c == 't' || c == 'f') {
      at += c == 't' ? 3 : 4; /* true, false */
    } else if (c == '[' && at < end && *at == ']') {
      return false;
    }
  }
  return true;
}

/* Encodes the value at index 1: [.. json] and true, or [.. message] and false. */
static bool call_encoder(lua_State *L, bool long_numbers) {
  if (lua_isnil(L, ENCODER)) {
    push_cjson(L, "encode");
    lua_replace(L, ENCODER);
  }
  lua_pushvalue(L, ENCODER);
  lua_pushvalue(L, 1);
  if (long_numbers) mark_numbers(L);
  if (!call_cjson(L)) return false;
  if (lua_rawlen(L, -1) > ENCODE_KEPT) {
    lua_pushnil(L);
    lua_replace(L, ENCODER);
  }
  if (long_numbers) unmark_numbers(L);
  return true;
}

/* Returns nil, message, path for a value in which something is wrong. */
static int refuse(lua_State *L, const char *message) {
  lua_settop(L, 1);
  if (message != NULL || !explain(L, NULL, 0)) {
    /* Without a message a finalizer must have changed the value meanwhile. */
    lua_pushstring(L, message != NULL ? message : "the value has no form in JSON");
    lua_pushliteral(L, "");
  }
  lua_pushnil(L);
  lua_insert(L, -3);
  return 3;
}

/* encode(value) -> json | nil, message, path */
static int json_encode(lua_State *L) {
  static const char too_large[] = "the value is larger than 64 MiB";
  struct survey survey = {0, false};
  const char *text;
  size_t length;
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  if (lua_gc(L, LUA_GCCOUNT, 0) > HEAP_SAFE && !survey_value(L, &survey)) {
    return refuse(L, survey.size > ENCODE_SIZE_MAX ? too_large : NULL);
  }
  if (!call_encoder(L, false)) return refuse(L, NULL);
  text = lua_tolstring(L, -1, &length);
  if (length > ENCODE_SIZE_MAX) return refuse(L, too_large);
  if (!text_utf8_length(text, length, NULL, NULL)) return refuse(L, NULL);
  if (inspect(text, text + length)) return 1;
  lua_pushvalue(L, 1); /* [value json value] */
  survey.long_numbers = false;
  survey.size = 0;
  if (!survey_value(L, &survey)) return refuse(L, NULL);
  lua_settop(L, 2);
  if (survey.long_numbers && !call_encoder(L, true)) return refuse(L, NULL);
  return 1;
}

/* ---- Decoding: the text. ------------------------------------------------------------------------ */

/* What is known of a JSON text while it is read. With `out`, it is also written there as cjson should
 * have it. */
struct scan {
  const char *start, *at, *end;
  const char *fault; /* what is wrong at `at`, or NULL */
  char *out;         /* room for the text and `growth` more bytes, or NULL */
  const char *taken; /* everything before is in `out` */
  size_t growth;     /* how much longer the text gets */
  int depth;
  bool rewrite;   /* cjson must have another text */
  bool numbers;   /* there are numbers */
  bool fractions; /* one of them has a decimal point */
  bool huge;      /* one of them may be too large for a double */
};

static bool fail(struct scan *scan, const char *at, const char *fault) {
  scan->at = at;
  scan->fault = fault;
  return false;
}

/* Writes `replacement` for what lies between `from` and `to`. */
static void replace(struct scan *scan, const char *from, const char *to, const char *replacement) {
  const size_t length = strlen(replacement);
  scan->rewrite = true;
  if (scan->out == NULL) {
    scan->growth += length - (size_t)(to - from);
    return;
  }
  memcpy(scan->out, scan->taken, (size_t)(from - scan->taken));
  scan->out += from - scan->taken;
  memcpy(scan->out, replacement, length);
  scan->out += length;
  scan->taken = to;
}

/* The value of the four hexadecimal digits of "\uXXXX" at `at`, or -1 for anything else. */
static long read_unicode_escape(const char *at, const char *end) {
  long value = 0;
  int i;
  if (end - at < 6 || at[0] != '\\' || at[1] != 'u') return -1;
  for (i = 2; i < 6; i++) {
    const char c = at[i];
    if (is_digit(c)) {
      value = value * 16 + (c - '0');
    } else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
      value = value * 16 + ((c | 0x20) - 'a' + 10);
    } else {
      return -1;
    }
  }
  return value;
}

/* Steps over an escape. Half a surrogate pair (left by systems that cut UTF-16 text anywhere) becomes
 * U+FFFD, as JavaScript and others have it: cjson would refuse the whole text. */
static const char *scan_escape(struct scan *scan, const char *at) {
  const long first = read_unicode_escape(at, scan->end);
  if (first < 0xD800 || first > 0xDFFF) return at + 2;
  if (first < 0xDC00) {
    const long second = read_unicode_escape(at + 6, scan->end);
    if (second >= 0xDC00 && second <= 0xDFFF) return at + 12;
  }
  replace(scan, at, at + 6, "\\ufffd");
  return at + 6;
}

/* Steps over a string; scan->at is its opening quote. */
static bool scan_string(struct scan *scan) {
  const char *at = scan->at + 1;
  while (at < scan->end) {
    if (*at == '"') {
      scan->at = at + 1;
      return true;
    }
    if (*at == '\\') {
      at = scan_escape(scan, at);
    } else {
      at++;
    }
  }
  return fail(scan, scan->at, "a string has no end");
}

/* Whether a whole number is further from zero than 2^53. */
static bool is_long_integer(const char *digits, size_t length) {
  static const char limit[] = "9007199254740992";
  if (length != sizeof limit - 1) return length > sizeof limit - 1;
  return memcmp(digits, limit, length) > 0;
}

/* Steps over a number; scan->at is its first character. */
static bool scan_number(struct scan *scan) {
  const char *const start = scan->at, *const end = scan->end;
  const char *const digits = start + (*start == '-');
  const char *at = digits;
  bool whole = true;
  while (at < end && is_digit(*at)) at++;
  if (at == digits) return fail(scan, start, "a minus without digits");
  if (*digits == '0' && at - digits > 1) return fail(scan, start, "a number has a leading zero");
  if (at - digits > 300) scan->huge = true;
  if (at < end && *at == '.') {
    const char *const places = ++at;
    while (at < end && is_digit(*at)) at++;
    if (at == places) return fail(scan, start, "a number has no digit after its decimal point");
    scan->fractions = true;
    whole = false;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    const char *places = ++at;
    if (at < end && (*at == '+' || *at == '-')) places = ++at;
    while (at < end && is_digit(*at)) at++;
    if (at == places) return fail(scan, start, "a number has no digit in its exponent");
    scan->huge = true;
    whole = false;
  }
  scan->numbers = true;
  if (whole && is_long_integer(digits, (size_t)(at - digits))) {
    replace(scan, start, start, "\"");
    replace(scan, at, at, "\"");
  }
  scan->at = at;
  return true;
}

/* Steps over true, false or null. cjson also knows NaN and Infinity. */
static bool scan_word(struct scan *scan) {
  static const char *const words[] = {"true", "false", "null"};
  size_t i;
  for (i = 0; i < 3; i++) {
    const size_t length = strlen(words[i]);
    if ((size_t)(scan->end - scan->at) >= length && memcmp(scan->at, words[i], length) == 0) {
      scan->at += length;
      return true;
    }
  }
  return fail(scan, scan->at, "a word that JSON does not have");
}

/* Reads the text to its end. Whether its parts stand in a sensible order is left to cjson; but a number
 * or a word ends where it has to end, so that cjson reads the same one. */
static bool scan_text(struct scan *scan) {
  while (scan->at < scan->end) {
    const char c = *scan->at;
    if (c == '"') {
      if (!scan_string(scan)) return false;
    } else if (c == ',' || c == ':' || c == ' ' || c == '\n' || c == '\r' || c == '\t') {
      scan->at++;
    } else if (c == '{' || c == '[') {
      if (++scan->depth > DECODE_LEVELS) return fail(scan, scan->at, "more than 1000 levels");
      scan->at++;
    } else if (c == '}' || c == ']') {
      scan->depth--;
      scan->at++;
    } else if (is_digit(c) || c == '-' || (c >= 'a' && c <= 'z')) {
      if (!(c >= 'a' ? scan_word(scan) : scan_number(scan))) return false;
      if (scan->at < scan->end && memchr(",]}: \n\r\t", *scan->at, 8) == NULL) {
        return fail(scan, scan->at, "an unexpected character");
      }
    } else {
      return fail(scan, scan->at, "an unexpected character");
    }
  }
  return true;
}

/* Pushes the text as cjson should have it. */
static void push_rewritten(lua_State *L, const struct scan *known) {
  const size_t size = (size_t)(known->end - known->start) + known->growth;
  char *const out = lua_newuserdatauv(L, size, 0);
  struct scan scan = {NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, false, false, false, false};
  scan.start = scan.at = scan.taken = known->start;
  scan.end = known->end;
  scan.out = out;
  scan_text(&scan);
  replace(&scan, scan.end, scan.end, ""); /* the rest */
  lua_pushlstring(L, out, size);
  lua_remove(L, -2);
}

/* ---- Decoding: the value. ----------------------------------------------------------------------- */

/* Looks at the number on the top of the stack and makes it an integer where it is a whole one and Lua
 * has them. `*changed` says so. False: it is infinite. */
static bool settle_number(lua_State *L, bool *changed) {
  const lua_Number number = lua_tonumber(L, -1);
  *changed = false;
  if (!is_finite(number)) return false;
#if LUA_VERSION_NUM >= 503
  if (!lua_isinteger(L, -1) && number >= -WHOLE_MAX && number <= WHOLE_MAX &&
      (lua_Number)(lua_Integer)number == number) {
    lua_pop(L, 1);
    lua_pushinteger(L, (lua_Integer)number);
    *changed = true;
  }
#endif
  return true;
}

/* Settles every number of the value on the top of the stack. False: one is infinite. Walks without
 * recursion, as there may be 1000 levels. */
static bool settle(lua_State *L) {
  const int bottom = lua_gettop(L);
  bool changed;
  if (lua_type(L, -1) == LUA_TNUMBER) return settle_number(L, &changed);
  if (lua_type(L, -1) != LUA_TTABLE) return true;
  lua_pushnil(L);
  for (;;) { /* [.. table key] for each level */
    int type;
    if (!lua_next(L, -2)) {
      if (lua_gettop(L) == bottom) return true;
      lua_pop(L, 1);
      continue;
    }
    type = lua_type(L, -1); /* [.. table key value] */
    if (type == LUA_TTABLE) {
      luaL_checkstack(L, 8, "JSON with too many levels");
      lua_pushnil(L);
      continue;
    }
    if (type == LUA_TNUMBER) {
      if (!settle_number(L, &changed)) return false;
      if (changed) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2); /* [.. table key key value] */
        lua_rawset(L, -4);
        continue;
      }
    }
    lua_pop(L, 1);
  }
}

static int push_scan_fault(lua_State *L, const struct scan *scan) {
  lua_pushnil(L);
  lua_pushfstring(L, "%s at byte %d", scan->fault, (int)(scan->at - scan->start) + 1);
  return 2;
}

/* What is wrong with the text as a whole, or NULL. */
static const char *whole_text_fault(const char *text, size_t length) {
  if (length > DECODE_SIZE_MAX) return "the text is too long";
  if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
    return "the text begins with a byte order mark, which JSON must not have";
  }
  if (strspn(text, " \t\r\n") == length) return "the text is empty";
  return NULL;
}

/* decode(json) -> value | nil, message */
static int json_decode(lua_State *L) {
  struct scan scan = {NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, false, false, false, false};
  size_t length;
  const char *text, *fault;
  luaL_checktype(L, 1, LUA_TSTRING);
  lua_settop(L, 1);
  text = lua_tolstring(L, 1, &length);
  fault = whole_text_fault(text, length);
  if (fault != NULL) {
    lua_pushnil(L);
    lua_pushstring(L, fault);
    return 2;
  }
  scan.start = scan.at = text;
  scan.end = text + length;
  if (!scan_text(&scan)) return push_scan_fault(L, &scan);
  if (lua_isnil(L, DECODER) ||
      (scan.fractions && locale_has_comma() != (bool)lua_toboolean(L, DECODER_KNOWS_COMMA))) {
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
    if (!settle(L)) {
      lua_pushnil(L);
      lua_pushliteral(L, "a number is too large");
      return 2;
    }
  }
  return 1;
}

void json_register(lua_State *L) {
  lua_pushnil(L);
  lua_pushcclosure(L, json_encode, 1);
  lua_setfield(L, -2, "encode");
  lua_pushnil(L);
  lua_pushboolean(L, 0);
  lua_pushcclosure(L, json_decode, 2);
  lua_setfield(L, -2, "decode");
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
}
