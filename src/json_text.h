/* JSON as text: checks and rewrites input for cjson, and writes numbers with all their digits. Pure C without
 * state and without allocation. */
#ifndef WABA_JSON_TEXT_H
#define WABA_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* More levels are refused, in each direction. */
#define JSON_ENCODE_LEVELS 100
#define JSON_DECODE_LEVELS 1000

/* Doubles count up to here one by one. */
#define JSON_WHOLE_MAX 9007199254740992.0

/* Whether numbers have something else than a point in the locale of the moment. */
bool json_locale_has_comma(void);

/* Writes a finite double, whatever the locale: a whole one that fits into 64 bits as an integer, others
 * with as few digits as tell them from their neighbours. */
void json_write_double(double number, char out[32]);

/* What is known of a JSON text while it is read. With `out`, it is also written there as cjson should
 * have it. */
struct json_scan {
  const char *start, *at, *end;
  const char *fault; /* what is wrong at `at`, or NULL */
  char *out;         /* room for the text and `growth` more bytes, or NULL */
  const char *taken; /* everything before is in `out` */
  size_t growth;     /* how much longer the text gets */
  size_t strings; /* how many there are, with the numbers that become strings */
  int depth;
  bool rewrite;   /* cjson must have another text */
  bool numbers;   /* there are numbers */
  bool fractions; /* one of them has a decimal point */
  bool huge;      /* one of them may be too large for a double */
};

/* Reads a JSON text that cjson shall decode. False: `fault` says what is wrong at `at`. Whether the
 * parts stand in a sensible order is left to cjson. If `rewrite` is set then, cjson must have what
 * `json_scan_rewrite` makes of the text. The text must outlive the struct. */
bool json_scan(struct json_scan *scan, const char *text, size_t length);

/* The size of the text that `json_scan_rewrite` writes. */
size_t json_scan_size(const struct json_scan *scan);

/* Writes the text as cjson must have it: integers beyond 2^53 as strings, halves of surrogate pairs as
 * U+FFFD. */
void json_scan_rewrite(const struct json_scan *scan, char *out);

/* Writes the decoded string whose first byte after the opening quote is `at`. Returns its length, and in `*quote`
 * the position of the closing quote. The text must have passed `json_scan`, which guarantees that quote. */
size_t json_unescape(const char *at, const char *end, char *out, const char **quote);

#endif
