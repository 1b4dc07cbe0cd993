/* Parts of JSON texts: reads words and escapes, and writes numbers with all their digits. Pure C without state and
 * without allocation. */
#ifndef WABA_JSON_TEXT_H
#define WABA_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define JSON_ENCODE_LEVELS 100

/* A double represents each whole number up to this number exactly. */
#define JSON_WHOLE_MAX 9007199254740992.0

/* Writes a finite double, independently of the locale. A whole number that fits into 64 bits is written as an
 * integer. Other numbers have the fewest digits that give the same double when they are read. */
void json_write_double(double number, char out[32]);

/* GCC and clang compare all bytes of a vector at once. */
typedef unsigned char json_block __attribute__((vector_size(16)));

/* Returns whether each of the bytes in the block at `bytes` is an ASCII character that has the same form in JSON: no
 * control character, quote, slash or backslash. */
static inline bool json_is_unescaped(const char *bytes) {
  json_block block, found;
  uint64_t halves[2];
  memcpy(&block, bytes, sizeof block);
  found = (json_block)((block - ' ' >= 0x7F - ' ') | (block == '"') | (block == '/') | (block == '\\'));
  memcpy(halves, &found, sizeof halves);
  return (halves[0] | halves[1]) == 0;
}

static inline bool json_is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

/* Returns the length of true, false or null at `at`, else 0. */
size_t json_word_length(const char *at, const char *end);

/* Writes the decoded form of the string whose first byte after the opening quote is `at`. The decoded form is never
 * longer. Returns the number of bytes. `*stop` is the position of the closing quote or of an invalid escape, or `end`.
 * An unpaired surrogate becomes U+FFFD. */
size_t json_unescape(const char *at, const char *end, char *out, const char **stop);

#endif
