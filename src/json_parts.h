/* The parts of json.c: reading and writing values, and the functions that the reader and the writer share. No function
 * calls Lua code. A finalizer can run while memory is allocated. */
#pragma once

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define JSON_ENCODE_LEVELS 100

/* A double represents each whole number up to this number exactly. */
#define JSON_WHOLE_MAX 9007199254740992.0

/* Parts of json.c in pure C without allocation: json_text.c ------------------------------------ */

/* Writes a finite double without NUL, independently of the locale. A whole number that fits into 64 bits is written as
 * an integer. Other numbers have the fewest digits that give the same double when they are read. Returns the size. */
size_t json_write_double(double number, char out[32]);

/* GCC and clang compare all bytes of a vector at once. */
typedef unsigned char json_block __attribute__((vector_size(16)));

/* Returns whether each of the bytes in the block at `bytes` is an ASCII character that JSON does not escape: no control
 * character, quote, slash or backslash. */
static inline bool json_is_unescaped(const char *bytes) {
  json_block block;
  uint64_t halves[2];
  memcpy(&block, bytes, sizeof block);
  json_block found = (json_block)((block - ' ' >= 0x7F - ' ') | (block == '"') | (block == '/') | (block == '\\'));
  memcpy(halves, &found, sizeof halves);
  return (halves[0] | halves[1]) == 0;
}

static inline bool json_is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

/* Returns the length of true, false or null at `at`, else 0. */
size_t json_word_length(const char *at, const char *end);

/* Writes the decoded form of the string whose first byte after the opening quote is `at`. The decoded form is never
 * longer than the JSON. Returns the number of bytes. `*stop` is the position of the closing quote or of an invalid
 * escape, or `end`. An unpaired surrogate becomes U+FFFD. */
size_t json_unescape(const char *at, const char *end, char *out, const char **stop);

/* Hash flooding, in pure C: json_flood.c ------------------------------------------------------- */

/* Lua creates this number of strings in little time even if all of them have the same hash. */
#define JSON_FLOOD_FREE ((size_t)4096)

/* Returns the size of the memory that `json_flood` needs for a text of this length. */
size_t json_flood_size(size_t length);

/* Returns whether many strings of a text have the same hash: Lua would need many times the usual time to create them.
 * The text need not be valid JSON. `memory` has `json_flood_size(length)` bytes, aligned for any type. */
bool json_flood(const char *text, size_t length, void *memory);

/* Strings of a text without decoding, in pure C without allocation: json_pick.c ---------------- */

#define JSON_PICK_MAX 12

struct json_piece {
  const char *bytes; /* NULL: absent */
  size_t length;
};

/* The path to a string in {"root": [{"leaf": "string"}]}: the field `leaf` in the first object of the array `root`. A
 * path without a leaf means that the object may have a member `root`, whose value is ignored. */
struct json_path {
  struct json_piece root, leaf;
};

struct json_pick {
  size_t count;
  struct json_path paths[JSON_PICK_MAX];
};

/* Finds the string of each path in the text, which must be a JSON object and be followed by a NUL. Returns false if the
 * caller must decode the whole text instead: the text is invalid, or has a number, an escape, a control character, many
 * levels, a member of the outermost object that is no root, or a root or leaf that is repeated or has another type. */
bool json_pick(const struct json_pick *pick, const char *text, size_t length, struct json_piece pieces[JSON_PICK_MAX]);

/* Decoding: json_read.c ------------------------------------------------------------------------ */

/* Pushes a table with the names of members that were read recently, and a userdata with the number of elements of
 * the last value of each name. The table and the userdata make reading faster, and do not change the result. */
void json_read_cache(lua_State *L);

/* [.. lists texts names cache] -> [.. lists texts names cache value] and true, or an error message and false. `names`
 * and `cache` are from `json_read_cache` and at the top of the stack. `lists` is nil, or a table whose keys are names
 * of arrays. For each object in an array whose name is in `lists`, the table `texts` gets the part of the text from
 * which the object was read. No part is stored for an object inside an object whose part is stored. The text ends with
 * a NUL, which `length` does not count, and must not be collected. If `guard` is true, refuses a text that causes hash
 * flooding. */
bool json_read(lua_State *L, const char *text, size_t length, bool guard);

/* Encoding: json_write.c and json_value.c ------------------------------------------------------ */

/* Writes the value at the top of the stack: [.. value] -> [.. value json] and true, or [.. value message path] and
 * false for the first part that can't be written. Reads tables raw. */
bool json_write(lua_State *L);

/* The address of this constant is the light userdata `core.empty_array`. */
extern const char json_empty_array;

/* The value at the top of the stack must be an empty table or a light userdata. Returns whether the value is
 * `core.empty_array` or an empty array of OpenResty's cjson. The latter is either `cjson.empty_array`, or a table with
 * the metatable `cjson.empty_array_mt` or `cjson.array_mt`. */
bool json_is_empty_array(lua_State *L);

/* If a table in the value has `__index`, `__len`, `__pairs` or `__ipairs`, replaces the value by a copy of its raw
 * contents, because the encoder ignores metamethods. The copy has no metatable with one of the four metamethods.
 * Returns whether the value was replaced. */
bool json_make_plain(lua_State *L);
