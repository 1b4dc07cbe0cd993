/* Where a response goes: its status and headers are kept, its body goes into memory, a file, or a buffer
 * that is drained while it arrives. Pure C. The sink owns its buffers and the unfinished file, which it
 * removes unless the response comes to a good end. */
#ifndef WABA_SINK_H
#define WABA_SINK_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

/* Where a 2xx body goes; any other stays in memory. */
enum sink_kind { SINK_MEMORY, SINK_FILE, SINK_STREAM };

enum sink_fault { SINK_FINE, SINK_TOO_LARGE, SINK_UNWRITABLE, SINK_NO_MEMORY };

struct sink {
  enum sink_kind kind;
  size_t max_body;     /* of what is kept in memory */
  curl_off_t max_size; /* of a body that goes to a file or a reader */
  int status;          /* of the final response; 0 before its status line */
  bool is_http1;       /* by its status line */
  struct buffer lines; /* its headers, each "name: value" and CR LF */
  bool head_over;
  bool is_framed;     /* its header defines where the body ends; else the body ends with the connection */
  struct buffer body; /* in memory, or not drained yet */
  curl_off_t received;
  bool paused;   /* a stream that waits to be drained */
  char *path;    /* of SINK_FILE */
  char *partial; /* the file in which it grows, beside it */
  int descriptor;
  enum sink_fault fault;
  int error; /* errno of SINK_UNWRITABLE */
};

/* Makes an unused struct closed. */
void sink_init(struct sink *sink);

/* The limits count decoded bytes. */
void sink_open(struct sink *sink, enum sink_kind kind, size_t max_body, curl_off_t max_size);

/* As `sink_open`, for a file. False, with errno, when it can't be made. */
bool sink_open_file(struct sink *sink, const char *path, size_t max_body, curl_off_t max_size);

/* libcurl's header and write functions; the last argument is the sink. */
size_t sink_head(char *bytes, size_t size, size_t count, void *argument);
size_t sink_body(char *bytes, size_t size, size_t count, void *argument);

/* The response has come to its end: a 2xx file gets its name, any other is removed. False when that
 * fails; `fault` and `error` say why. */
bool sink_complete(struct sink *sink);

/* Whether a 2xx body leaves memory another way. */
bool sink_diverts(const struct sink *sink);

/* The unfinished file belongs to another process: it will not be removed. */
void sink_disown(struct sink *sink);

/* Lets go of everything and removes an unfinished file; memory is kept for the next use. */
void sink_close(struct sink *sink);

void sink_free(struct sink *sink);

#endif
