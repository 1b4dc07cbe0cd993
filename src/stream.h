/* The HTTP/2 stream of a request, as far as libcurl reports on it: which one it is, and whether the server
 * refused it. A refused stream was not processed (RFC 9113, 6.8 and 8.7): its request can be sent again. Pure C.
 * libcurl has no option that returns this; it reports it in the texts of its debug function only. */
#ifndef WABA_STREAM_H
#define WABA_STREAM_H

#include <stdbool.h>
#include <stddef.h>

struct stream {
  unsigned long long
      connection;   /* the same number for all streams of one connection; 0: not connected */
  unsigned long id; /* 0: not HTTP/2, or not known */
  bool refused;     /* by RST_STREAM or by a GOAWAY */
};

/* A request is about to be sent on the connection between these addresses. */
void stream_begin(struct stream *stream, const char *remote_address, int remote_port,
                  const char *local_address, int local_port);

/* Reads a text of libcurl's debug function about the request of this stream. True when it reports a GOAWAY of
 * its connection: then `*last` is the last stream that the server may process. */
bool stream_read(struct stream *stream, const char *text, size_t size, unsigned long *last);

/* The connection `of` got a GOAWAY with this last stream. True when that refuses this stream. */
bool stream_is_above(const struct stream *stream, const struct stream *of, unsigned long last);

#endif
