/* The destination of a response: it stores status and headers, and writes the body to memory, to a file, or to a buffer
 * that is drained while the response arrives. Pure C. The sink owns its buffers and the unfinished file, which it
 * removes unless the response is complete. */
#ifndef WABA_SINK_H
#define WABA_SINK_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

/* The destination of a 2xx body; other bodies go to memory. */
enum sink_kind { SINK_MEMORY, SINK_FILE, SINK_STREAM };

enum sink_error { SINK_OK, SINK_TOO_LARGE, SINK_UNWRITABLE, SINK_NO_MEMORY };

struct sink {
  enum sink_kind kind;
  size_t max_body;     /* the most bytes of a body in memory */
  curl_off_t max_size; /* the most bytes of a body that goes to a file or a reader */
  int status;          /* the status of the final response; 0 before its status line */
  bool is_http1;       /* the status line has an HTTP/1 version */
  struct buffer lines; /* the header lines, each "name: value" and CR LF */
  bool head_complete;  /* the blank line was received */
  bool is_framed;      /* the headers define the end of the body; else the body ends with the connection */
  struct buffer body;  /* in memory: the body, or its part that was not drained */
  curl_off_t received;
  bool paused;   /* SINK_STREAM: libcurl waits until the buffer is drained */
  char *path;    /* SINK_FILE: the path of the file */
  char *partial; /* the unfinished file, in the same folder */
  int descriptor;
  enum sink_error error;
  int system_error; /* errno of SINK_UNWRITABLE */
};

/* Initialises a struct as closed. */
void sink_init(struct sink *sink);

/* The limits count decoded bytes. */
void sink_open(struct sink *sink, enum sink_kind kind, size_t max_body, curl_off_t max_size);

/* As `sink_open`, for a file. Returns false, with errno, when it can't be created. */
bool sink_open_file(struct sink *sink, const char *path, size_t max_body, curl_off_t max_size);

/* libcurl's header and write functions; the last argument is the sink. */
size_t sink_head(char *bytes, size_t size, size_t count, void *argument);
size_t sink_body(char *bytes, size_t size, size_t count, void *argument);

/* The response is complete: gives the file of a 2xx body its name. Returns false for an error, which sets `error` and
 * `system_error`. */
bool sink_complete(struct sink *sink);

/* Whether the body goes to a file or a stream: the status is 2xx and `kind` is not SINK_MEMORY. */
bool sink_diverts(const struct sink *sink);

/* The unfinished file belongs to another process: it is not removed. */
void sink_disown(struct sink *sink);

/* Empties the buffers and removes an unfinished file; keeps memory for the next use. */
void sink_close(struct sink *sink);

void sink_free(struct sink *sink);

#endif
