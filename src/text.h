/* Text at byte level: UTF-8, base64, percent-encoding, comparison in constant time, header checks.
 * Pure C without state and without allocation: the caller owns every buffer. */
#ifndef WABA_TEXT_H
#define WABA_TEXT_H

#include <stdbool.h>
#include <stddef.h>

static inline bool text_is_digit(char c) { return c >= '0' && c <= '9'; }

/* Of ASCII, whatever the locale. */
static inline char text_lower(char c) { return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); }

/* Counts the characters of a UTF-8 text into `*characters`. Surrogates, overlong forms and code points
 * above U+10FFFF are not UTF-8: the result is then false and `*fault` the offset (from 0) of the first
 * byte of the faulty character. Either pointer may be NULL. */
bool text_utf8_length(const char *text, size_t length, size_t *characters, size_t *fault);

/* The size of the base64 form of `length` bytes, without a terminating NUL. */
size_t text_base64_size(size_t length);

/* Writes the base64 form (padded, no line breaks, no NUL) into `out`. */
void text_base64(const char *bytes, size_t length, char *out);

/* Writes the percent-encoded form (all but RFC 3986's unreserved characters) into `out`, without NUL,
 * and returns its size. With `out` NULL it only counts. */
size_t text_percent_encode(const char *text, size_t length, char *out);

/* Compares in a time that depends on `candidate_length` only. */
bool text_equals(const char *secret, size_t secret_length, const char *candidate,
                 size_t candidate_length);

/* Compares two strings without regard to the case of ASCII letters. */
bool text_equals_ignoring_case(const char *a, size_t a_length, const char *b, size_t b_length);

/* NULL if `name` may be the name of an HTTP header (a token of RFC 9110), else what is wrong. */
const char *text_header_name_fault(const char *name, size_t length);

/* NULL if `value` may be the value of an HTTP header: no control but the tab, no white space at its
 * ends (HTTP/2 forbids it). Else what is wrong, without the value. */
const char *text_header_value_fault(const char *value, size_t length);

/* Overwrites with zeros in a way the compiler keeps. `memory` may be NULL if `size` is 0. */
void text_wipe(void *memory, size_t size);

#endif
