/* Functions for bytes: see text.h. */
#include "text.h"

#include <stdint.h>
#include <stdlib.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

/* Returns the size of the UTF-8 character at `text`, or 0 if the character is invalid. `left` must be at least 1. */
static size_t character_size(const unsigned char *text, size_t left) {
  const unsigned char first = text[0];
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const size_t size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  /* If the second byte is below `low`, the sequence is overlong. If it is above `high`, the character is a surrogate or
   * is beyond U+10FFFF. */
  const unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (left < size || text[1] < low || text[1] > high) return 0;
  for (size_t i = 2; i < size; i++) {
    if ((text[i] & 0xC0) != 0x80) return 0;
  }
  return size;
}

bool text_utf8_length(const char *text, size_t length, size_t *characters, size_t *error_at) {
  const unsigned char *bytes = (const unsigned char *)text;
  size_t at = 0, count = 0;
  while (at < length) {
    uint64_t eight;
    while (length - at >= sizeof eight) {
      memcpy(&eight, bytes + at, sizeof eight);
      if (eight & HIGH_BITS) break;
      at += sizeof eight;
      count += sizeof eight;
    }
    if (at == length) break;
    size_t size = character_size(bytes + at, length - at);
    if (size == 0) {
      if (error_at != NULL) *error_at = at;
      return false;
    }
    at += size;
    count++;
  }
  if (characters != NULL) *characters = count;
  return true;
}

size_t text_integer(long long number, char out[TEXT_INTEGER_SIZE]) {
  unsigned long long left = number < 0 ? 0ULL - (unsigned long long)number : (unsigned long long)number;
  char digits[TEXT_INTEGER_SIZE], *const end = digits + sizeof digits, *at = end;
  do {
    *--at = (char)('0' + left % 10);
    left /= 10;
  } while (left > 0);
  if (number < 0) *--at = '-';
  memcpy(out, at, (size_t)(end - at));
  return (size_t)(end - at);
}

char *text_copy(const char *bytes, size_t length) {
  char *copied = malloc(length + 1);
  if (copied == NULL) return NULL;
  memcpy(copied, bytes, length);
  copied[length] = '\0';
  return copied;
}

bool text_equals(const char *secret, size_t secret_length, const char *candidate, size_t candidate_length) {
  volatile unsigned char difference = (unsigned char)(secret_length != candidate_length);
  size_t at = 0;
  if (secret_length == 0) {
    secret = "";
    secret_length = 1;
  }
  for (size_t i = 0; i < candidate_length; i++) {
    difference = (unsigned char)(difference | (secret[at] ^ candidate[i]));
    at++;
    /* The index returns to 0 at the end of the secret. A branch is not used, because the time of a branch would depend
     * on the bytes. */
    at &= (size_t)0 - (size_t)(at < secret_length);
  }
  return difference == 0;
}

bool text_equals_ignoring_case(const char *a, size_t a_length, const char *b, size_t b_length) {
  if (a_length != b_length) return false;
  for (size_t i = 0; i < a_length; i++) {
    if (text_lower(a[i]) != text_lower(b[i])) return false;
  }
  return true;
}

static bool is_token(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    const char c = text[i];
    if (!text_is_letter(c) && !text_is_digit(c) && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL)) return false;
  }
  return length > 0;
}

const char *text_method_error(const char *method, size_t length) {
  return is_token(method, length) ? NULL : "the method is not a token: expected one such as GET";
}

const char *text_header_error(const char *name, size_t name_length, const char *value, size_t value_length) {
  if (name_length == 0) return "the header's name is empty: expected one such as X-Name";
  if (!is_token(name, name_length)) {
    return "the header's name has an invalid character: expected letters, digits and hyphens";
  }
  return text_header_value_error(value, value_length);
}

const char *text_header_value_error(const char *value, size_t length) {
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)value[i];
    if (c == '\r' || c == '\n') return "the header's value has a line break: expected one line";
    if (c == '\0') return "the header's value has a NUL: expected text";
    if ((c < 0x20 && c != '\t') || c == 0x7F) return "the header's value has a control character: expected text";
  }
  if (length > 0 && (text_is_blank(value[0]) || text_is_blank(value[length - 1]))) {
    return "the header's value begins or ends with white space: expected none there";
  }
  return NULL;
}

void text_wipe(void *memory, size_t size) {
  volatile unsigned char *bytes = memory;
  while (size-- > 0) *bytes++ = 0;
}
