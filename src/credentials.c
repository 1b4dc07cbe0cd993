/* A secret header for one origin, and the value of Basic: see credentials.h. */
#include "credentials.h"

#include <stdlib.h>
#include <string.h>

#include "origin.h"
#include "text.h"

const char credentials_no_memory[] = "not enough memory";

/* A secret is visible ASCII. A value copied from a page or a file may contain invisible characters. */
static const char *foreign_fault(const char *value, size_t length) {
  size_t i;
  for (i = 0; i < length; i++) {
    const unsigned char c = (unsigned char)value[i];
    if (c < 0x80) continue;
    if (length - i >= 3 && memcmp(value + i, "\xEF\xBB\xBF", 3) == 0) {
      return "the header's value has a byte order mark";
    }
    if (length - i >= 2 && memcmp(value + i, "\xC2\xA0", 2) == 0) {
      return "the header's value has a no-break space";
    }
    return "the header's value has a character that is not ASCII";
  }
  return NULL;
}

const char *credentials_fill(struct credentials *credentials, const char *name, size_t name_length,
                             const char *value, size_t value_length, const char *origin,
                             size_t origin_length) {
  char plain_origin[ORIGIN_SIZE];
  const char *fault = text_header_name_fault(name, name_length);
  if (fault == NULL) fault = text_header_value_fault(value, value_length);
  if (fault == NULL) fault = foreign_fault(value, value_length);
  if (fault == NULL && value_length == 0) fault = "the secret is empty";
  if (fault == NULL) fault = origin_read(origin, origin_length, plain_origin);
  if (fault != NULL) return fault;
  credentials->line_length = name_length + 2 + value_length;
  credentials->size = credentials->line_length + 1 + strlen(plain_origin) + 1;
  credentials->memory = malloc(credentials->size);
  if (credentials->memory == NULL) {
    credentials_clear(credentials);
    return credentials_no_memory;
  }
  credentials->line = credentials->memory;
  memcpy(credentials->line, name, name_length);
  memcpy(credentials->line + name_length, ": ", 2);
  credentials->name_length = name_length;
  credentials->value = credentials->line + name_length + 2;
  memcpy(credentials->value, value, value_length);
  credentials->value[value_length] = '\0';
  credentials->value_length = value_length;
  credentials->origin = credentials->value + value_length + 1;
  strcpy(credentials->origin, plain_origin);
  return NULL;
}

void credentials_clear(struct credentials *credentials) {
  static const struct credentials closed;
  if (credentials->memory != NULL) {
    text_wipe(credentials->memory, credentials->size);
    free(credentials->memory);
  }
  *credentials = closed;
}

bool credentials_belong_to(const struct credentials *credentials, const char *origin) {
  return credentials->memory != NULL && strcmp(credentials->origin, origin) == 0;
}

const char *credentials_find(const struct credentials *credentials, const char *text, size_t length) {
  const char *const end = text + length;
  if (credentials->memory == NULL) return NULL;
  while ((size_t)(end - text) >= credentials->value_length) {
    text = memchr(text, credentials->value[0], (size_t)(end - text) - credentials->value_length + 1);
    if (text == NULL) return NULL;
    if (memcmp(text, credentials->value, credentials->value_length) == 0) return text;
    text++;
  }
  return NULL;
}

/* The bytes RFC 7617 forbids in a user and a password. */
static bool has_control(const char *text, size_t length) {
  size_t i;
  for (i = 0; i < length; i++) {
    if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F) return true;
  }
  return false;
}

size_t credentials_basic_size(size_t user_length, size_t password_length) {
  return 6 + text_base64_size(user_length + 1 + password_length);
}

const char *credentials_basic(const char *user, size_t user_length, const char *password,
                              size_t password_length, char *out) {
  const size_t length = user_length + 1 + password_length;
  char *pair;
  if (memchr(user, ':', user_length) != NULL) return "the user has a colon";
  if (has_control(user, user_length)) return "the user has a control character";
  if (has_control(password, password_length)) return "the password has a control character";
  memcpy(out, "Basic ", 6);
  /* The pair stands at the end of the room for its base64 form, which is written from the start: what
   * is written never catches up with what is still to be read. */
  pair = out + 6 + text_base64_size(length) - length;
  memcpy(pair, user, user_length);
  pair[user_length] = ':';
  memcpy(pair + user_length + 1, password, password_length);
  text_base64(pair, length, out + 6);
  return NULL;
}
