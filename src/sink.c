/* Writes responses to their destinations: see sink.h. */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "system.h"
#include "text.h"

/* libcurl pauses while the buffer contains at least this number of bytes. */
#define STREAM_MAX ((size_t)64 * 1024)

#define LINES_MAX ((size_t)256 * 1024)

void sink_init(struct sink *sink) {
  memset(sink, 0, sizeof *sink);
  sink->descriptor = -1;
}

void sink_open(struct sink *sink, enum sink_kind kind, size_t max_body, curl_off_t max_size) {
  sink->kind = kind;
  sink->max_body = max_body;
  sink->max_size = max_size;
}

void sink_disown(struct sink *sink) {
  if (sink->partial != NULL) system_keep_at_exit(sink->partial);
  free(sink->partial);
  sink->partial = NULL;
}

/* The incomplete file is in the same folder, so that rename does not cross file systems. */
bool sink_open_file(struct sink *sink, const char *path, size_t max_body, curl_off_t max_size) {
  const size_t size = strlen(path) + 40;
  sink_open(sink, SINK_FILE, max_body, max_size);
  sink->path = text_copy(path, strlen(path));
  char *partial = sink->path == NULL ? NULL : malloc(size);
  int error = partial == NULL ? ENOMEM : EEXIST;
  for (unsigned attempt = 0; error == EEXIST && attempt < 10000; attempt++) {
    snprintf(partial, size, "%s.%ld-%u.part", path, (long)getpid(), attempt);
    sink->descriptor = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    error = sink->descriptor < 0 ? errno : 0;
  }
  if (error == 0 && !system_remove_at_exit(partial)) {
    unlink(partial);
    error = ENOMEM;
  }
  if (error == 0) {
    sink->partial = partial;
    return true;
  }
  free(partial);
  sink_close(sink);
  errno = error;
  return false;
}

/* Stores an error; returns false. */
static bool fail(struct sink *sink, enum sink_error error) {
  sink->error = error;
  sink->system_error = error == SINK_UNWRITABLE ? errno : 0;
  return false;
}

/* Reads a status line, such as "HTTP/1.1 200 OK". */
static void read_status_line(struct sink *sink, const char *line, size_t length) {
  const char *space = memchr(line, ' ', length);
  const char *end = line + length;
  int status = 0;
  sink->lines.length = 0;
  sink->head_complete = false;
  sink->is_framed = false;
  sink->has_pause = false;
  while (space != NULL && space < end && *space == ' ') space++;
  while (space != NULL && space < end && *space >= '0' && *space <= '9' && status < 1000) {
    status = status * 10 + (*space++ - '0');
  }
  /* An interim response (1xx) is not the final response to the request. */
  sink->status = status >= 200 ? status : 0;
  sink->is_http1 = line[5] == '1';
}

size_t sink_head(char *bytes, size_t size, size_t count, void *argument) {
  struct sink *sink = argument;
  size_t length = size * count;
  while (length > 0 && (bytes[length - 1] == '\r' || bytes[length - 1] == '\n')) length--;
  if (length > 5 && memcmp(bytes, "HTTP/", 5) == 0) {
    read_status_line(sink, bytes, length);
  } else if (length == 0) {
    sink->head_complete = true;
  } else if (!sink->head_complete && sink->status != 0) {
    const char *colon = memchr(bytes, ':', length);
    if (colon == NULL || colon == bytes || memchr(bytes, '\0', length) != NULL) return size * count;
    const size_t name_length = (size_t)(colon - bytes);
    const bool has_end = size * count == length + 2;
    if (text_is(bytes, name_length, "content-length")) sink->is_framed = true;
    if (text_is(bytes, name_length, "transfer-encoding")) sink->is_framed = true;
    if (text_is(bytes, name_length, "retry-after")) sink->has_pause = true;
    if (sink->lines.length + length > LINES_MAX) return fail(sink, SINK_TOO_LARGE);
    if (!buffer_append(&sink->lines, bytes, has_end ? length + 2 : length) ||
        (!has_end && !buffer_append(&sink->lines, "\r\n", 2))) {
      return fail(sink, SINK_NO_MEMORY);
    }
  }
  return size * count;
}

bool sink_diverts(const struct sink *sink) {
  return sink->kind != SINK_MEMORY && sink->status >= 200 && sink->status < 300;
}

static bool write_file(struct sink *sink, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t written = write(sink->descriptor, bytes, length);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(sink, SINK_UNWRITABLE);
    bytes += written;
    length -= (size_t)written;
  }
  return true;
}

/* After an error the function returns a value other than `length`, even if `length` is 0. */
size_t sink_body(char *bytes, size_t size, size_t count, void *argument) {
  struct sink *sink = argument;
  const size_t length = size * count;
  const bool diverts = sink_diverts(sink);
  const curl_off_t left = diverts ? sink->max_size - sink->received : (curl_off_t)(sink->max_body - sink->body.length);
  bool written;
  if ((curl_off_t)length > left) {
    written = fail(sink, SINK_TOO_LARGE);
  } else if (diverts && sink->kind == SINK_FILE) {
    written = write_file(sink, bytes, length);
  } else if (diverts && sink->body.length >= STREAM_MAX) {
    sink->paused = true;
    return CURL_WRITEFUNC_PAUSE;
  } else {
    written = buffer_append(&sink->body, bytes, length) || fail(sink, SINK_NO_MEMORY);
  }
  if (written) sink->received += (curl_off_t)length;
  return written ? length : length + 1;
}

bool sink_complete(struct sink *sink) {
  if (sink->kind != SINK_FILE || !sink_diverts(sink)) return true;
  int closed = close(sink->descriptor);
  sink->descriptor = -1;
  if (closed != 0 || rename(sink->partial, sink->path) != 0) return fail(sink, SINK_UNWRITABLE);
  sink_disown(sink);
  return true;
}

void sink_close(struct sink *sink) {
  struct buffer lines = sink->lines;
  struct buffer body = sink->body;
  if (sink->descriptor >= 0) close(sink->descriptor);
  if (sink->partial != NULL) unlink(sink->partial);
  sink_disown(sink);
  free(sink->path);
  buffer_clear(&lines);
  buffer_clear(&body);
  sink_init(sink);
  sink->lines = lines;
  sink->body = body;
}

void sink_free(struct sink *sink) {
  sink_close(sink);
  buffer_free(&sink->lines);
  buffer_free(&sink->body);
}
