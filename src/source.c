/* Reads the bodies of requests: see source.h. */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text.h"

void source_init(struct source *source) {
  memset(source, 0, sizeof *source);
  source->descriptor = -1;
}

static void source_open(struct source *source, enum source_kind kind, curl_off_t size) {
  source->kind = kind;
  source->size = size;
  /* An empty body is complete when libcurl has sent the head. */
  source->complete = size == 0;
}

void source_open_bytes(struct source *source, const char *bytes, size_t size) {
  source_open(source, SOURCE_BYTES, (curl_off_t)size);
  source->bytes = bytes;
}

bool source_open_file(struct source *source, const char *path) {
  struct stat status;
  const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return false;
  int error = 0;
  char *copied = text_copy(path, strlen(path));
  if (copied == NULL) error = ENOMEM;
  else if (fstat(descriptor, &status) != 0) error = errno;
  else if (!S_ISREG(status.st_mode)) error = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
  if (error != 0) {
    close(descriptor);
    free(copied);
    errno = error;
    return false;
  }
  source_open(source, SOURCE_FILE, (curl_off_t)status.st_size);
  source->descriptor = descriptor;
  source->path = copied;
  return true;
}

void source_open_fed(struct source *source, curl_off_t size) { source_open(source, SOURCE_FED, size); }

bool source_feed(struct source *source, const char *bytes, size_t length) {
  if (source->kind != SOURCE_FED || source->ended) return true;
  if (bytes == NULL) {
    source->ended = true;
    if (source->size >= 0 && source->fed_total < source->size) source->error = SOURCE_SHORT;
    return true;
  }
  if (source->size >= 0 && (curl_off_t)length > source->size - source->fed_total) {
    source->error = SOURCE_LONG;
    return true;
  }
  if (source->taken == source->fed.length) {
    buffer_clear(&source->fed);
    source->taken = 0;
  }
  if (!buffer_append(&source->fed, bytes, length)) return false;
  source->fed_total += (curl_off_t)length;
  return true;
}

bool source_has_input(const struct source *source) { return source->ended || source->taken < source->fed.length; }

static size_t read_file(struct source *source, char *out, size_t size) {
  ssize_t count;
  do {
    count = pread(source->descriptor, out, size, (off_t)source->position);
  } while (count < 0 && errno == EINTR);
  if (count > 0) return (size_t)count;
  source->error = count == 0 ? SOURCE_SHRUNK : SOURCE_UNREADABLE;
  source->system_error = errno;
  return CURL_READFUNC_ABORT;
}

static size_t read_fed(struct source *source, char *out, size_t size) {
  size_t left = source->fed.length - source->taken;
  if (left == 0) {
    if (source->ended) return 0;
    source->paused = true;
    return CURL_READFUNC_PAUSE;
  }
  if (size > left) size = left;
  memcpy(out, source->fed.bytes + source->taken, size);
  source->taken += size;
  return size;
}

size_t source_read(char *out, size_t size, size_t count, void *argument) {
  struct source *source = argument;
  curl_off_t left = source->size - source->position;
  size_t size_read = size * count;
  if (source->size >= 0 && (curl_off_t)size_read > left) size_read = (size_t)left;
  if (size_read > 0) {
    if (source->kind == SOURCE_BYTES) memcpy(out, source->bytes + source->position, size_read);
    else if (source->kind == SOURCE_FILE) size_read = read_file(source, out, size_read);
    else size_read = read_fed(source, out, size_read);
  }
  if (size_read == CURL_READFUNC_ABORT || size_read == CURL_READFUNC_PAUSE) return size_read;
  source->position += (curl_off_t)size_read;
  if (size_read == 0 || source->position == source->size) source->complete = true;
  return size_read;
}

bool source_rewind(struct source *source) {
  if (source->position == 0) return true;
  if (!source->rewindable || source->kind == SOURCE_FED) return false;
  source->position = 0;
  return true;
}

int source_seek(void *argument, curl_off_t offset, int origin) {
  const bool is_first = origin == SEEK_SET && offset == 0;
  return is_first && source_rewind(argument) ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

void source_close(struct source *source) {
  struct buffer fed = source->fed;
  if (source->descriptor >= 0) close(source->descriptor);
  free(source->path);
  buffer_clear(&fed);
  source_init(source);
  source->fed = fed;
}

void source_free(struct source *source) {
  source_close(source);
  buffer_free(&source->fed);
}
