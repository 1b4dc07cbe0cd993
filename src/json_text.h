/* Checks and rewrites JSON texts for cjson, and writes numbers with all their digits. Pure C without state and without
 * allocation. */
#ifndef WABA_JSON_TEXT_H
#define WABA_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#define JSON_ENCODE_LEVELS 100
#define JSON_DECODE_LEVELS 1000

/* Doubles represent each whole number up to this one. */
#define JSON_WHOLE_MAX 9007199254740992.0

/* Whether the decimal point of the current locale is not ".". */
bool json_locale_has_comma(void);

/* Writes a finite double, independent of the locale: a whole number that fits into 64 bits as an integer, others with
 * the fewest digits that read back as the same double. */
void json_write_double(double number, char out[32]);

/* The state of a scan. With `out`, the scan also writes the text that cjson decodes. */
struct json_scan {
  const char *start, *at, *end;
  const char *message; /* the error at `at`, or NULL */
  char *out;         /* space for the text and `growth` more bytes, or NULL */
  const char *taken; /* the end of the part that is in `out` */
  size_t growth;     /* by how much `out` is longer than the text */
  size_t strings;    /* their number, with the integers that become strings */
  int depth;
  bool rewrite;   /* cjson must decode the rewritten text */
  bool numbers;   /* the text has numbers */
  bool fractions; /* one of them has a decimal point */
  bool huge;      /* one of them may be too large for a double */
};

/* Checks a JSON text that cjson will decode. Returns false for an error: `message` at `at`. cjson checks the order of
 * the parts. If `rewrite` is set, cjson must decode the text that `json_scan_rewrite` writes. The text must outlive the
 * struct. */
bool json_scan(struct json_scan *scan, const char *text, size_t length);

/* The size of the text that `json_scan_rewrite` writes. */
size_t json_scan_size(const struct json_scan *scan);

/* Writes the text for cjson: integers above 2^53 as strings, unpaired surrogates as U+FFFD. */
void json_scan_rewrite(const struct json_scan *scan, char *out);

static inline bool json_is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

/* The length of true, false or null at `at`, else 0. */
size_t json_word_length(const char *at, const char *end);

/* Writes the decoded string whose first byte after the opening quote is `at`. Returns its length, and in `*quote`
 * the position of the closing quote. The text must have passed `json_scan`, which guarantees that quote. */
size_t json_unescape(const char *at, const char *end, char *out, const char **quote);

#endif
