/* Reads libcurl's debug texts about HTTP/2 streams: see http2.h. */
#include "http2.h"
#include "text.h"

/* The hash function FNV-1a. */
static unsigned long long hash(unsigned long long sum, const void *bytes, size_t size) {
  const unsigned char *byte = bytes;
  for (; size > 0; size--) sum = (sum ^ *byte++) * 1099511628211ULL;
  return sum;
}

bool http2_begin(struct http2_stream *stream, struct http2_count *count, const char *remote_address, int remote_port,
                 const char *local_address, int local_port) {
  unsigned long long sum = hash(14695981039346656037ULL, &local_port, sizeof local_port);
  sum = hash(sum, &remote_port, sizeof remote_port);
  sum = hash(sum, local_address, strlen(local_address) + 1);
  stream->connection = hash(sum, remote_address, strlen(remote_address));
  stream->id = 0;
  stream->refused = false;
  if (count->opening) count->connection = 0;
  count->opening = true;
  return stream->connection == count->connection;
}

void http2_open(struct http2_stream *stream, struct http2_count *count) {
  if (stream->id == 0 && stream->connection == count->connection) stream->id = count->next;
  count->opening = false;
  count->connection = stream->id == 0 ? 0 : stream->connection;
  count->next = stream->id + 2;
}

void http2_forget(struct http2_count *count) { count->connection = 0; }

/* Returns whether the text begins with the pattern, in which "#" stands for a number. Sets these numbers. */
static bool matches(const char *text, size_t size, const char *pattern, unsigned long numbers[2]) {
  const char *const end = text + size;
  for (; *pattern != '\0'; pattern++) {
    if (*pattern != '#') {
      if (text == end || *text++ != *pattern) return false;
      continue;
    }
    const char *const first = text;
    *numbers = 0;
    while (text < end && text_is_digit(*text)) *numbers = *numbers * 10 + (unsigned long)(*text++ - '0');
    if (text == first) return false;
    numbers++;
  }
  return true;
}

bool http2_read(struct http2_stream *stream, const char *text, size_t size, unsigned long *last) {
  unsigned long numbers[2];
  const char first = size > 0 ? text[0] : '\0';
  if (first != 'U' && first != '[' && first != 'R' && first != 'r') return false; /* true for most texts */
  /* libcurl 7.88 to 8.2 writes the first text. libcurl 8.3 and newer write the second text. */
  if (matches(text, size, "Using Stream ID: #", numbers) || matches(text, size, "[HTTP/2] [#] OPENED ", numbers)) {
    stream->id = numbers[0];
  }
  if (matches(text, size, "REFUSED_STREAM, retrying", numbers)) stream->refused = true;
  if (!matches(text, size, "received GOAWAY, error=#, last_stream=#", numbers) &&
      !matches(text, size, "recveived GOAWAY, error=#, last_stream=#", numbers)) {
    return false;
  }
  *last = numbers[1];
  return true;
}

bool http2_is_above(const struct http2_stream *stream, const struct http2_stream *of, unsigned long last) {
  return stream->connection == of->connection && stream->id > last;
}
