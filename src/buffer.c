/* A growing sequence of bytes: see buffer.h. */
#include "buffer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_FIRST 1024
#define SIZE_KEPT ((size_t)256 * 1024)

bool buffer_append(struct buffer *buffer, const char *bytes, size_t length) {
  if (length > buffer->size - buffer->length) {
    size_t size = buffer->size < SIZE_FIRST ? SIZE_FIRST : buffer->size;
    if (length > SIZE_MAX / 4 - buffer->length) return false;
    while (size < buffer->length + length) size *= 2;
    char *moved = realloc(buffer->bytes, size);
    if (moved == NULL) return false;
    buffer->bytes = moved;
    buffer->size = size;
  }
  if (length > 0) memcpy(buffer->bytes + buffer->length, bytes, length);
  buffer->length += length;
  return true;
}

void buffer_clear(struct buffer *buffer) {
  buffer->length = 0;
  if (buffer->size > SIZE_KEPT) buffer_free(buffer);
}

void buffer_swap(struct buffer *one, struct buffer *other) {
  const struct buffer kept = *one;
  *one = *other;
  *other = kept;
}

void buffer_free(struct buffer *buffer) {
  free(buffer->bytes);
  buffer->bytes = NULL;
  buffer->length = 0;
  buffer->size = 0;
}
