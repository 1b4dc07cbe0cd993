/* Functions for bytes: UTF-8, comparison in constant time, checks of headers. Pure C without
 * state. The caller owns every buffer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static inline bool text_is_digit(char c) { return c >= '0' && c <= '9'; }

static inline bool text_is_blank(char c) { return c == ' ' || c == '\t'; }

/* `text_lower` and `text_is_letter` recognise ASCII only, independently of the locale. */
static inline char text_lower(char c) { return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); }

static inline bool text_is_letter(char c) { return text_lower(c) >= 'a' && text_lower(c) <= 'z'; }

#define TEXT_INTEGER_SIZE 20

/* Writes a number in decimal digits without NUL, faster than `snprintf`. Returns the size. */
size_t text_integer(long long number, char out[TEXT_INTEGER_SIZE]);

/* Returns a copy in new memory, with a NUL at its end; NULL if there is not enough memory. */
char *text_copy(const char *bytes, size_t length);

/* Counts the characters of a UTF-8 text. Returns false for invalid UTF-8, which includes surrogates, overlong forms and
 * code points above U+10FFFF; `*error_at` is then the offset of the invalid character. Either pointer may be NULL. */
bool text_utf8_length(const char *text, size_t length, size_t *characters, size_t *error_at);

/* Compares in a time that depends on `candidate_length` only. */
bool text_equals(const char *secret, size_t secret_length, const char *candidate, size_t candidate_length);

bool text_equals_ignoring_case(const char *a, size_t a_length, const char *b, size_t b_length);

/* Returns whether the text equals `word`, ignoring case. */
static inline bool text_is(const char *text, size_t length, const char *word) {
  return length == strlen(word) && text_equals_ignoring_case(text, length, word, length);
}

/* `text_header_error`, `text_header_value_error` and `text_method_error` return NULL for valid text, else a static
 * error text that does not quote the invalid text. */

/* The name must be a token (RFC 9110); the value is checked by `text_header_value_error`. */
const char *text_header_error(const char *name, size_t name_length, const char *value, size_t value_length);

/* The value must not contain control characters except tabs, and must not begin or end with white space (HTTP/2 forbids
 * both). */
const char *text_header_value_error(const char *value, size_t length);

const char *text_method_error(const char *method, size_t length);

/* Overwrites memory with zeros. The compiler can't remove this call. `memory` may be NULL if `size` is 0. */
void text_wipe(void *memory, size_t size);
