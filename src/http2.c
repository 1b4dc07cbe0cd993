/* Reads libcurl's debug texts about HTTP/2 streams: see http2.h. */
#include "http2.h"

#include <string.h>

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

/* A text, and the position of the next byte to read. */
struct cursor {
  const char *at, *end;
};

static bool skip(struct cursor *cursor, const char *words) {
  const size_t length = strlen(words);
  if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, words, length) != 0) return false;
  cursor->at += length;
  return true;
}

static bool read_number(struct cursor *cursor, unsigned long *number) {
  const char *first = cursor->at;
  *number = 0;
  while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9') {
    *number = *number * 10 + (unsigned long)(*cursor->at++ - '0');
  }
  return cursor->at > first;
}

/* The first form is that of libcurl 7.88 to 8.2, the second form that of libcurl 8.3 and newer. */
static bool is_opened(struct cursor cursor, unsigned long *id) {
  if (skip(&cursor, "Using Stream ID: ")) return read_number(&cursor, id);
  return skip(&cursor, "[HTTP/2] [") && read_number(&cursor, id) && skip(&cursor, "] OPENED ");
}

static bool is_goaway(struct cursor cursor, unsigned long *last) {
  unsigned long code;
  if (!skip(&cursor, "received GOAWAY, error=") && !skip(&cursor, "recveived GOAWAY, error=")) return false;
  return read_number(&cursor, &code) && skip(&cursor, ", last_stream=") && read_number(&cursor, last);
}

bool http2_read(struct http2_stream *stream, const char *text, size_t size, unsigned long *last) {
  struct cursor cursor = {text, text + size};
  unsigned long id;
  if (is_opened(cursor, &id)) stream->id = id;
  else if (skip(&cursor, "REFUSED_STREAM, retrying")) stream->refused = true;
  return is_goaway(cursor, last);
}

bool http2_is_above(const struct http2_stream *stream, const struct http2_stream *of, unsigned long last) {
  return stream->connection == of->connection && stream->id > last;
}
