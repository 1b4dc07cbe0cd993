/* JSON texts: see json_text.h. */
#include "json_text.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

bool json_locale_has_comma(void) { return strcmp(nl_langinfo(RADIXCHAR), ".") != 0; }

/* Whether the number is a decimal with at most eight decimal places, for which 14 digits suffice. Both operands are
 * exact. */
static bool is_short(double number) {
  const double scaled = number * 1e8;
  return number > -1e5 && number < 1e5 &&
         (double)(long long)(scaled + (scaled < 0 ? -0.5 : 0.5)) / 1e8 == number;
}

void json_write_double(double number, char out[32]) {
  char *from, *to;
  if (number > -0x1p63 && number < 0x1p63 && (double)(long long)number == number) {
    snprintf(out, 32, "%lld", (long long)number);
    return;
  }
  for (int digits = 14; digits <= 17; digits++) {
    snprintf(out, 32, "%.*g", digits, number);
    if ((digits == 14 && is_short(number)) || strtod(out, NULL) == number) break;
  }
  for (from = to = out; *from != '\0'; from++) {
    if (strchr("0123456789+-e", *from) != NULL) {
      *to++ = *from;
    } else if (to == out || to[-1] != '.') {
      /* the locale's decimal point, of one byte or several */
      *to++ = '.';
    }
  }
  *to = '\0';
}

static bool fail(struct json_scan *scan, const char *at, const char *message) {
  scan->at = at;
  scan->message = message;
  return false;
}

/* Replaces the text between `from` and `to`. */
static void replace(struct json_scan *scan, const char *from, const char *to,
                    const char *replacement) {
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

/* The value of a "\u" escape at `at`, or -1. */
static long read_unicode_escape(const char *at, const char *end) {
  long value = 0;
  if (end - at < 6 || at[0] != '\\' || at[1] != 'u') return -1;
  for (int i = 2; i < 6; i++) {
    const char c = at[i];
    if (text_is_digit(c)) {
      value = value * 16 + (c - '0');
    } else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
      value = value * 16 + ((c | 0x20) - 'a' + 10);
    } else {
      return -1;
    }
  }
  return value;
}

/* Returns the end of the escape. An unpaired surrogate, which systems create when they cut UTF-16 text, becomes U+FFFD,
 * as in JavaScript: cjson would refuse the whole text. */
static const char *scan_escape(struct json_scan *scan, const char *at) {
  const long first = read_unicode_escape(at, scan->end);
  if (first < 0xD800 || first > 0xDFFF) return at + 2;
  if (first < 0xDC00) {
    const long second = read_unicode_escape(at + 6, scan->end);
    if (second >= 0xDC00 && second <= 0xDFFF) return at + 12;
  }
  replace(scan, at, at + 6, "\\ufffd");
  return at + 6;
}

/* scan->at: the opening quote. */
static bool scan_string(struct json_scan *scan) {
  const char *at = scan->at + 1;
  scan->strings++;
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

/* Writes a character as UTF-8. Returns its end. */
static char *write_character(char *out, long character) {
  if (character < 0x80) {
    *out++ = (char)character;
  } else if (character < 0x800) {
    *out++ = (char)(0xC0 | character >> 6);
    *out++ = (char)(0x80 | (character & 0x3F));
  } else {
    if (character < 0x10000) {
      *out++ = (char)(0xE0 | character >> 12);
    } else {
      *out++ = (char)(0xF0 | character >> 18);
      *out++ = (char)(0x80 | (character >> 12 & 0x3F));
    }
    *out++ = (char)(0x80 | (character >> 6 & 0x3F));
    *out++ = (char)(0x80 | (character & 0x3F));
  }
  return out;
}

size_t json_unescape(const char *at, const char *end, char *out, const char **quote) {
  static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
  char *const start = out;
  while (*at != '"') {
    const char *letter;
    if (*at != '\\') {
      *out++ = *at++;
      continue;
    }
    long character = read_unicode_escape(at, end);
    if (character < 0) {
      letter = strchr(letters, at[1]);
      *out++ = letter != NULL && *letter != '\0' ? meant[letter - letters] : at[1];
      at += 2;
      continue;
    }
    at += 6;
    long second = character >= 0xD800 && character < 0xDC00 ? read_unicode_escape(at, end) : -1;
    if (second >= 0xDC00 && second <= 0xDFFF) {
      character = 0x10000 + ((character - 0xD800) << 10) + (second - 0xDC00);
      at += 6;
    } else if (character >= 0xD800 && character <= 0xDFFF) {
      character = 0xFFFD;
    }
    out = write_character(out, character);
  }
  *quote = at;
  return (size_t)(out - start);
}

/* Whether the absolute value of a whole number is above 2^53. */
static bool is_long_integer(const char *digits, size_t length) {
  static const char limit[] = "9007199254740992";
  if (length != sizeof limit - 1) return length > sizeof limit - 1;
  return memcmp(digits, limit, length) > 0;
}

/* scan->at: the first character. */
static bool scan_number(struct json_scan *scan) {
  const char *const start = scan->at, *const end = scan->end;
  const char *const digits = start + (*start == '-');
  const char *at = digits;
  bool whole = true;
  while (at < end && text_is_digit(*at)) at++;
  if (at == digits) return fail(scan, start, "a number has no digit after its minus");
  if (*digits == '0' && at - digits > 1) return fail(scan, start, "a number has a leading zero");
  if (at - digits > 300) scan->huge = true;
  if (at < end && *at == '.') {
    const char *const places = ++at;
    while (at < end && text_is_digit(*at)) at++;
    if (at == places) return fail(scan, start, "a number has no digit after its decimal point");
    scan->fractions = true;
    whole = false;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    const char *places = ++at;
    if (at < end && (*at == '+' || *at == '-')) places = ++at;
    while (at < end && text_is_digit(*at)) at++;
    if (at == places) return fail(scan, start, "a number has no digit in its exponent");
    scan->huge = true;
    whole = false;
  }
  scan->numbers = true;
  if (whole && is_long_integer(digits, (size_t)(at - digits))) {
    replace(scan, start, start, "\"");
    replace(scan, at, at, "\"");
    scan->strings++;
  }
  scan->at = at;
  return true;
}

size_t json_word_length(const char *at, const char *end) {
  static const char *const words[] = {"true", "false", "null"};
  for (size_t i = 0; i < 3; i++) {
    const size_t length = strlen(words[i]);
    if ((size_t)(end - at) >= length && memcmp(at, words[i], length) == 0) return length;
  }
  return 0;
}

/* cjson also accepts NaN and Infinity. */
static bool scan_word(struct json_scan *scan) {
  const size_t length = json_word_length(scan->at, scan->end);
  if (length == 0) return fail(scan, scan->at, "an invalid word: expected true, false or null");
  scan->at += length;
  return true;
}

/* cjson checks the order of the parts, but not what follows a number or a word. That is checked here, so that cjson
 * reads the same number, and a number that becomes a string does not become a name. */
static bool scan_text(struct json_scan *scan) {
  while (scan->at < scan->end) {
    const char c = *scan->at;
    if (c == '"') {
      if (!scan_string(scan)) return false;
    } else if (c == ',' || c == ':' || json_is_space(c)) {
      scan->at++;
    } else if (c == '{' || c == '[') {
      if (++scan->depth > JSON_DECODE_LEVELS) return fail(scan, scan->at, "more than 1000 levels");
      scan->at++;
    } else if (c == '}' || c == ']') {
      scan->depth--;
      scan->at++;
    } else if (text_is_digit(c) || c == '-' || (c >= 'a' && c <= 'z')) {
      if (!(c >= 'a' ? scan_word(scan) : scan_number(scan))) return false;
      while (scan->at < scan->end && json_is_space(*scan->at)) scan->at++;
      if (scan->at < scan->end && memchr(",]}", *scan->at, 3) == NULL) {
        return fail(scan, scan->at, "an unexpected character");
      }
    } else {
      return fail(scan, scan->at, "an unexpected character");
    }
  }
  return true;
}

bool json_scan(struct json_scan *scan, const char *text, size_t length) {
  static const struct json_scan fresh;
  *scan = fresh;
  scan->start = scan->at = text;
  scan->end = text + length;
  return scan_text(scan);
}

size_t json_scan_size(const struct json_scan *scan) {
  return (size_t)(scan->end - scan->start) + scan->growth;
}

void json_scan_rewrite(const struct json_scan *known, char *out) {
  static const struct json_scan fresh;
  struct json_scan scan = fresh;
  scan.start = scan.at = scan.taken = known->start;
  scan.end = known->end;
  scan.out = out;
  scan_text(&scan);
  replace(&scan, scan.end, scan.end, ""); /* the rest */
}
