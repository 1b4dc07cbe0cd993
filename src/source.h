/* The body of a request: nothing, bytes, a file, or bytes fed in parts. Pure C. The source owns its file and the fed
 * bytes; other bytes belong to the caller and must outlive it. */
#ifndef WABA_SOURCE_H
#define WABA_SOURCE_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

enum source_kind { SOURCE_NONE, SOURCE_BYTES, SOURCE_FILE, SOURCE_FED };

enum source_error { SOURCE_OK, SOURCE_SHRUNK, SOURCE_UNREADABLE, SOURCE_SHORT, SOURCE_LONG };

struct source {
  enum source_kind kind;
  const char *bytes; /* SOURCE_BYTES: the body */
  int descriptor;    /* SOURCE_FILE: the open file; else -1 */
  char *path;        /* SOURCE_FILE: the path of the file */
  struct buffer fed; /* SOURCE_FED: the fed bytes; libcurl has read the first `taken` */
  size_t taken;
  curl_off_t fed_total;
  bool ended;          /* SOURCE_FED: the last byte was fed */
  bool paused;         /* libcurl waits until more is fed */
  curl_off_t size;     /* -1: unknown */
  curl_off_t position; /* number of bytes that libcurl has read */
  bool complete;       /* libcurl has read the last byte at least once: the server may have the whole body */
  bool rewindable;     /* the body may be sent again */
  enum source_error error;
  int system_error; /* errno of SOURCE_UNREADABLE */
};

/* Initialises a struct as closed. */
void source_init(struct source *source);

void source_open_bytes(struct source *source, const char *bytes, size_t size);

/* Returns false, with errno, when the file can't be opened; EISDIR or EINVAL when it is not a regular file. */
bool source_open_file(struct source *source, const char *path);

/* `size` -1: not known. */
void source_open_fed(struct source *source, curl_off_t size);

/* Adds bytes; `bytes` NULL: the end. Returns false when there is not enough memory. A wrong number of bytes sets
 * `error`. */
bool source_feed(struct source *source, const char *bytes, size_t length);

/* Continues at the first byte. Returns false if the source no longer has it, or must not be sent again. */
bool source_rewind(struct source *source);

/* Whether the read function would return bytes or the end, rather than pause. */
bool source_has_input(const struct source *source);

/* libcurl's read and seek functions; the last argument is the source. */
size_t source_read(char *out, size_t size, size_t count, void *argument);
int source_seek(void *argument, curl_off_t offset, int origin);

/* Closes the file and forgets the bytes; keeps the memory of the buffer for the next use. */
void source_close(struct source *source);

void source_free(struct source *source);

#endif
