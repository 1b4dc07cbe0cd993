/* Secret headers: see credentials.h. */
#include "credentials.h"

#include <stdlib.h>

#include "origin.h"
#include "text.h"

const char credentials_no_memory[] = "not enough memory";

/* A secret must be ASCII. A value that was copied from a page or a file can contain invisible characters. */
static const char *ascii_error(const char *value, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if ((unsigned char)value[i] < 0x80) continue;
    if (length - i >= 3 && memcmp(value + i, "\xEF\xBB\xBF", 3) == 0) {
      return "the header's value has a byte order mark: expected ASCII";
    }
    if (length - i >= 2 && memcmp(value + i, "\xC2\xA0", 2) == 0) {
      return "the header's value has a no-break space: expected ASCII";
    }
    return "the header's value has a character that is not ASCII: expected ASCII";
  }
  return NULL;
}

const char *credentials_fill(struct credentials *credentials, const char *name, size_t name_length, const char *value,
                             size_t value_length, const char *origin, size_t origin_length) {
  char plain_origin[ORIGIN_SIZE];
  const char *message = text_header_error(name, name_length, value, value_length);
  if (message == NULL) message = ascii_error(value, value_length);
  if (message == NULL && value_length == 0) message = "the secret is empty: expected visible ASCII characters";
  if (message == NULL) message = origin_read(origin, origin_length, plain_origin);
  if (message != NULL) return message;
  const size_t line_length = name_length + 2 + value_length, size = line_length + 1 + strlen(plain_origin) + 1;
  credentials->memory = malloc(size);
  if (credentials->memory == NULL) return credentials_no_memory;
  credentials->size = size;
  credentials->line_length = line_length;
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
  if (credentials->memory != NULL) {
    text_wipe(credentials->memory, credentials->size);
    free(credentials->memory);
  }
  memset(credentials, 0, sizeof *credentials);
}

bool credentials_belong_to(const struct credentials *credentials, const char *origin) {
  return credentials->memory != NULL && strcmp(credentials->origin, origin) == 0;
}

const char *credentials_find(const struct credentials *credentials, const char *text, size_t length) {
  const char *const end = text + length;
  while ((size_t)(end - text) >= credentials->value_length) {
    text = memchr(text, credentials->value[0], (size_t)(end - text) - credentials->value_length + 1);
    if (text == NULL) return NULL;
    if (memcmp(text, credentials->value, credentials->value_length) == 0) return text;
    text++;
  }
  return NULL;
}
