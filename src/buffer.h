/* A growable run of bytes that keeps its memory from use to use. Pure C; the struct owns `bytes`. */
#ifndef WABA_BUFFER_H
#define WABA_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* All zeros is an empty buffer. */
struct buffer {
  char *bytes;
  size_t length;
  size_t size; /* of the memory behind `bytes` */
};

/* Appends; false (and unchanged) when there is no memory. */
bool buffer_append(struct buffer *buffer, const char *bytes, size_t length);

/* Empties it, and gives its memory back if it grew beyond what is worth keeping. */
void buffer_clear(struct buffer *buffer);

/* Exchanges the contents of two buffers. */
void buffer_swap(struct buffer *one, struct buffer *other);

void buffer_free(struct buffer *buffer);

#endif
