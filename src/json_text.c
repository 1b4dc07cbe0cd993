/* Reads and writes the parts of JSON texts that depend on no context: numbers, escapes, true, false and null. */
#include <stdio.h>
#include <stdlib.h>

#include "json_parts.h"
#include "text.h"

/* Returns whether the number has at most five digits before and at most eight digits after the decimal point; then
 * 14 digits represent the number exactly. The quotient is rounded correctly, because both operands of the division
 * are exact. */
static bool is_short(double number) {
  const double scaled = number * 1e8;
  return number > -1e5 && number < 1e5 && (double)(long long)(scaled + (scaled < 0 ? -0.5 : 0.5)) / 1e8 == number;
}

size_t json_write_double(double number, char out[32]) {
  if (number > -0x1p63 && number < 0x1p63 && (double)(long long)number == number) {
    return text_integer((long long)number, out);
  }
  for (int digits = 14; digits <= 17; digits++) {
    snprintf(out, 32, "%.*g", digits, number);
    if ((digits == 14 && is_short(number)) || strtod(out, NULL) == number) break;
  }
  char *to = out;
  for (const char *from = out; *from != '\0'; from++) {
    if (strchr("0123456789+-e", *from) != NULL) *to++ = *from;
    else if (to == out || to[-1] != '.') *to++ = '.'; /* the decimal point of the locale has one or several bytes */
  }
  return (size_t)(to - out);
}

/* Returns the value of a "\u" escape at `at`, or -1. */
static long read_unicode_escape(const char *at, const char *end) {
  long value = 0;
  if (end - at < 6 || at[0] != '\\' || at[1] != 'u') return -1;
  for (int i = 2; i < 6; i++) {
    const char c = text_lower(at[i]);
    if (!text_is_digit(c) && !(c >= 'a' && c <= 'f')) return -1;
    value = value * 16 + (text_is_digit(c) ? c - '0' : c - 'a' + 10);
  }
  return value;
}

/* Writes a character as UTF-8. Returns its end. */
static char *write_character(char *out, long character) {
  const int more = character < 0x80 ? 0 : character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
  static const unsigned char marks[] = {0, 0xC0, 0xE0, 0xF0};
  *out++ = (char)(marks[more] | character >> 6 * more);
  for (int i = more - 1; i >= 0; i--) *out++ = (char)(0x80 | (character >> 6 * i & 0x3F));
  return out;
}

size_t json_unescape(const char *at, const char *end, char *out, const char **stop) {
  static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  char *const start = out;
  while (at < end && *at != '"') {
    if (*at != '\\') {
      *out++ = *at++;
      continue;
    }
    long character = read_unicode_escape(at, end);
    if (character < 0) {
      const char *const letter = at + 1 < end && at[1] != '\0' ? strchr(letters, at[1]) : NULL;
      if (letter == NULL) break;
      *out++ = meant[letter - letters];
      at += 2;
      continue;
    }
    at += 6;
    long second = character >= 0xD800 && character < 0xDC00 ? read_unicode_escape(at, end) : -1;
    if (second >= 0xDC00 && second <= 0xDFFF) {
      character = 0x10000 + ((character - 0xD800) << 10) + (second - 0xDC00);
      at += 6;
    } else if (character >= 0xD800 && character <= 0xDFFF) {
      character = 0xFFFD; /* a system that truncates UTF-16 text leaves unpaired surrogates */
    }
    out = write_character(out, character);
  }
  *stop = at;
  return (size_t)(out - start);
}

size_t json_word_length(const char *at, const char *end) {
  static const char *const words[] = {"true", "false", "null"};
  for (size_t i = 0; i < 3; i++) {
    const size_t length = strlen(words[i]);
    if ((size_t)(end - at) >= length && memcmp(at, words[i], length) == 0) return length;
  }
  return 0;
}
