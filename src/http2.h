/* The HTTP/2 stream of a request: its id, and whether the server refused it. A server has not processed the request of
 * a refused stream (RFC 9113, 6.8 and 8.7), so the request can be sent again. Pure C. libcurl reports ids and refusals
 * only in the texts for its debug callback. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct http2_stream {
  unsigned long long connection; /* the same number for all streams of a connection; 0: not connected */
  unsigned long id;              /* 0: not HTTP/2, or unknown */
  bool refused;                  /* true: the server refused the stream by RST_STREAM or GOAWAY */
};

/* Counts the streams of the connection that was used last. Requests open streams with the ids 1, 3, 5, …, so only the
 * id of the first stream must be read from a debug text. A struct of zeros means that no id is known. */
struct http2_count {
  unsigned long long connection; /* identifies the connection; 0: the next id is unknown */
  unsigned long next;            /* the id of the next stream */
  bool opening;                  /* true: `http2_begin` was called, and the stream is not opened yet */
};

/* Records that a request is about to be sent on the connection between these addresses. Returns whether the id of the
 * request's stream will be known without debug texts. */
bool http2_begin(struct http2_stream *stream, struct http2_count *count, const char *remote_address, int remote_port,
                  const char *local_address, int local_port);

/* Records that the request was sent. Must be called before the next `http2_begin`; otherwise the counting ends. */
void http2_open(struct http2_stream *stream, struct http2_count *count);

/* Ends the counting. Must be called if a connection was closed or a request failed, because a failed request may not
 * have opened a stream. */
void http2_forget(struct http2_count *count);

/* Reads a debug text of libcurl about the request of this stream. Returns true if the text reports a GOAWAY of the
 * connection; then `*last` is the last stream that the server may process. */
bool http2_read(struct http2_stream *stream, const char *text, size_t size, unsigned long *last);

/* Returns whether a GOAWAY refuses the stream. The GOAWAY was received on the connection of the stream `of`. `last` is
 * the last stream that the server may process. */
bool http2_is_above(const struct http2_stream *stream, const struct http2_stream *of, unsigned long last);
