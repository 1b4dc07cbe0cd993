/* The body of a request: see source.h. */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void source_init(struct source *source) {
  memset(source, 0, sizeof *source);
  source->descriptor = -1;
}

static void source_open(struct source *source, enum source_kind kind, curl_off_t size) {
  source->kind = kind;
  source->size = size;
  /* Without a body the server has it all as soon as it has the head. */
  source->complete = size == 0;
}

void source_open_bytes(struct source *source, const char *bytes, size_t size) {
  source_open(source, SOURCE_BYTES, (curl_off_t)size);
  source->bytes = bytes;
}

bool source_open_file(struct source *source, const char *path) {
  struct stat status;
  int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  int fault = 0;
  char *copied;
  if (descriptor < 0) return false;
  copied = malloc(strlen(path) + 1);
  if (copied == NULL) {
    fault = ENOMEM;
  } else if (fstat(descriptor, &status) != 0) {
    fault = errno;
  } else if (!S_ISREG(status.st_mode)) {
    fault = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
  }
  if (fault != 0) {
    close(descriptor);
    free(copied);
    errno = fault;
    return false;
  }
  source_open(source, SOURCE_FILE, (curl_off_t)status.st_size);
  source->descriptor = descriptor;
  source->path = strcpy(copied, path);
  return true;
}

void source_open_fed(struct source *source, curl_off_t size) {
  source_open(source, SOURCE_FED, size);
}

bool source_feed(struct source *source, const char *bytes, size_t length) {
  if (source->kind != SOURCE_FED || source->ended) return true;
  if (bytes == NULL) {
    source->ended = true;
    if (source->size >= 0 && source->fed_total < source->size) source->fault = SOURCE_SHORT;
    return true;
  }
  if (source->size >= 0 && (curl_off_t)length > source->size - source->fed_total) {
    source->fault = SOURCE_LONG;
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

bool source_can_give(const struct source *source) {
  return source->ended || source->taken < source->fed.length;
}

static size_t read_file(struct source *source, char *room, size_t size) {
  ssize_t count;
  do {
    count = pread(source->descriptor, room, size, (off_t)source->position);
  } while (count < 0 && errno == EINTR);
  if (count > 0) return (size_t)count;
  source->fault = count == 0 ? SOURCE_SHRUNK : SOURCE_UNREADABLE;
  source->error = errno;
  return CURL_READFUNC_ABORT;
}

static size_t read_fed(struct source *source, char *room, size_t size) {
  size_t left = source->fed.length - source->taken;
  if (left == 0) {
    if (source->ended) return 0;
    source->hungry = true;
    return CURL_READFUNC_PAUSE;
  }
  if (size > left) size = left;
  memcpy(room, source->fed.bytes + source->taken, size);
  source->taken += size;
  return size;
}

size_t source_read(char *room, size_t size, size_t count, void *argument) {
  struct source *source = argument;
  curl_off_t left = source->size - source->position;
  size_t given = size * count;
  if (source->size >= 0 && (curl_off_t)given > left) given = (size_t)left;
  if (given > 0 && source->kind == SOURCE_BYTES) {
    memcpy(room, source->bytes + source->position, given);
  } else if (given > 0 && source->kind == SOURCE_FILE) {
    given = read_file(source, room, given);
  } else if (given > 0) {
    given = read_fed(source, room, given);
  }
  if (given == CURL_READFUNC_ABORT || given == CURL_READFUNC_PAUSE) return given;
  source->position += (curl_off_t)given;
  if (given == 0 || source->position == source->size) source->complete = true;
  return given;
}

bool source_rewind(struct source *source) {
  if (source->position == 0) return true;
  if (!source->rewindable || source->kind == SOURCE_FED) return false;
  source->position = 0;
  return true;
}

int source_seek(void *argument, curl_off_t offset, int origin) {
  struct source *source = argument;
  if (origin != SEEK_SET || offset != 0 || !source_rewind(source)) return CURL_SEEKFUNC_FAIL;
  return CURL_SEEKFUNC_OK;
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
