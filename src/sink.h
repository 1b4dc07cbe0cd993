/* The destination of a response. The sink stores the status and the headers, and writes the body to memory, to a file,
 * or to a buffer that the caller drains while the response arrives. Pure C. The sink owns its buffers and the
 * incomplete file, and removes the file unless the response is complete. */
#pragma once

#include <curl/curl.h>

#include "buffer.h"

/* The destination of the body if the status is 2xx. With any other status the body is kept in memory. */
enum sink_kind { SINK_MEMORY, SINK_FILE, SINK_STREAM };

enum sink_error { SINK_OK, SINK_TOO_LARGE, SINK_UNWRITABLE, SINK_NO_MEMORY };

struct sink {
  enum sink_kind kind;
  size_t max_body;     /* the largest body in bytes that is kept in memory */
  curl_off_t max_size; /* the largest body in bytes that is written to a file or passed to a sink function */
  int status;          /* the status of the final response; 0 before its status line was received */
  bool is_http1;       /* true: the status line has an HTTP/1 version */
  struct buffer lines; /* the header lines, each consisting of "name: value" and CR LF */
  bool head_complete;  /* true: the blank line was received */
  bool has_pause;      /* true: the response has the header Retry-After */
  bool is_framed;      /* true: the headers define the end of the body; false: the body ends with the connection */
  struct buffer body;  /* the body in memory, or the bytes of a stream that were not drained yet */
  curl_off_t received;
  bool paused;   /* SINK_STREAM: true: libcurl waits until the buffer is drained */
  char *path;    /* SINK_FILE: the path of the file */
  char *partial; /* the incomplete file, in the same folder */
  int descriptor;
  enum sink_error error;
  int system_error; /* the errno if `error` is SINK_UNWRITABLE */
};

/* Initialises a struct as closed. */
void sink_init(struct sink *sink);

/* The limits `max_body` and `max_size` count decoded bytes. */
void sink_open(struct sink *sink, enum sink_kind kind, size_t max_body, curl_off_t max_size);

/* Does the same as `sink_open`, for a file. Returns false, with errno, if the file can't be created. */
bool sink_open_file(struct sink *sink, const char *path, size_t max_body, curl_off_t max_size);

/* libcurl's header and write functions; the last argument is the sink. */
size_t sink_head(char *bytes, size_t size, size_t count, void *argument);
size_t sink_body(char *bytes, size_t size, size_t count, void *argument);

/* Called when the response is complete: renames the file of a 2xx body to its final name. Returns false if the file
 * can't be renamed, and sets `error` and `system_error`. */
bool sink_complete(struct sink *sink);

/* Returns whether the body is written to a file or a stream: the status is 2xx and `kind` is not SINK_MEMORY. */
bool sink_diverts(const struct sink *sink);

/* Must be called in a child process. The incomplete file belongs to the parent process, so `sink_close` does not remove
 * the file. */
void sink_disown(struct sink *sink);

/* Empties the buffers and removes an incomplete file; keeps the memory for the next use. */
void sink_close(struct sink *sink);

void sink_free(struct sink *sink);
