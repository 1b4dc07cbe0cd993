/* A growing sequence of bytes. Pure C. The struct owns `bytes`. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A struct of zeros is an empty buffer. */
struct buffer {
  char *bytes;
  size_t length;
  size_t size; /* the size of the memory */
};

/* Returns false, and changes nothing, if there is not enough memory. */
bool buffer_append(struct buffer *buffer, const char *bytes, size_t length);

/* Empties the buffer. Frees the memory if it is large; otherwise keeps the memory for the next use. */
void buffer_clear(struct buffer *buffer);

void buffer_swap(struct buffer *one, struct buffer *other);

void buffer_free(struct buffer *buffer);
