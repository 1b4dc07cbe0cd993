/* The body of a request: no body, bytes, a file, or bytes that are fed in parts. Pure C. The source owns its file and
 * the fed bytes. The bytes of SOURCE_BYTES belong to the caller and must exist until the source is closed. */
#pragma once

#include <curl/curl.h>

#include "buffer.h"

enum source_kind { SOURCE_NONE, SOURCE_BYTES, SOURCE_FILE, SOURCE_FED };

enum source_error { SOURCE_OK, SOURCE_SHRUNK, SOURCE_UNREADABLE, SOURCE_SHORT, SOURCE_LONG };

struct source {
  enum source_kind kind;
  const char *bytes; /* SOURCE_BYTES: the body */
  int descriptor;    /* SOURCE_FILE: the descriptor of the open file; else -1 */
  char *path;        /* SOURCE_FILE: the path of the file */
  struct buffer fed; /* SOURCE_FED: the fed bytes; libcurl has read the first `taken` bytes */
  size_t taken;
  curl_off_t fed_total;
  bool ended;          /* SOURCE_FED: true: the last byte was fed */
  bool paused;         /* true: libcurl waits until further bytes are fed */
  curl_off_t size;     /* the number of bytes of the body; -1: unknown */
  curl_off_t position; /* the number of bytes that libcurl has read */
  bool complete;       /* true: libcurl has read the last byte, so the server may have received the complete body */
  bool rewindable;     /* true: the body may be sent again */
  enum source_error error;
  int system_error; /* the errno if `error` is SOURCE_UNREADABLE */
};

/* Initialises a struct as closed. */
void source_init(struct source *source);

void source_open_bytes(struct source *source, const char *bytes, size_t size);

/* Returns false, with errno, if the file can't be opened. If the path is no regular file, errno is EISDIR or EINVAL. */
bool source_open_file(struct source *source, const char *path);

/* The size is -1 if the size is not known. */
void source_open_fed(struct source *source, curl_off_t size);

/* Adds bytes; NULL as `bytes` means the end. Returns false if there is not enough memory. If the number of bytes
 * differs from the declared size, sets `error`. */
bool source_feed(struct source *source, const char *bytes, size_t length);

/* Returns to the first byte of the body. Returns false if the source no longer has this byte, or if the body must not
 * be sent again. */
bool source_rewind(struct source *source);

/* Returns false if `source_read` would pause the transfer, because there are no bytes to read and the body has not
 * ended. */
bool source_has_input(const struct source *source);

/* libcurl's read and seek functions; the last argument is the source. */
size_t source_read(char *out, size_t size, size_t count, void *argument);
int source_seek(void *argument, curl_off_t offset, int origin);

/* Closes the file and removes the bytes; keeps the memory of the buffer for the next use. */
void source_close(struct source *source);

void source_free(struct source *source);
