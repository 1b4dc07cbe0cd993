/* Where the body of a request comes from: nothing, bytes, a file, or bytes fed bit by bit. Pure C.
 * The source owns its file and what was fed; bytes belong to the caller and must outlive it. */
#ifndef WABA_SOURCE_H
#define WABA_SOURCE_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

enum source_kind { SOURCE_NONE, SOURCE_BYTES, SOURCE_FILE, SOURCE_FED };

enum source_fault { SOURCE_FINE, SOURCE_SHRUNK, SOURCE_UNREADABLE, SOURCE_SHORT, SOURCE_LONG };

struct source {
  enum source_kind kind;
  const char *bytes; /* of SOURCE_BYTES */
  int descriptor;    /* of SOURCE_FILE, else -1 */
  char *path;        /* of SOURCE_FILE */
  struct buffer fed; /* of SOURCE_FED: what libcurl has not taken yet begins at `taken` */
  size_t taken;
  curl_off_t fed_total;
  bool ended;          /* SOURCE_FED: nothing more will come */
  bool hungry;         /* libcurl waits for more to be fed */
  curl_off_t size;     /* -1: not known */
  curl_off_t position; /* what libcurl has taken */
  bool complete; /* libcurl has taken the last byte at least once: the server may have it all */
  bool rewindable;
  enum source_fault fault;
  int error; /* errno of SOURCE_UNREADABLE */
};

/* Makes an unused struct closed. */
void source_init(struct source *source);

void source_open_bytes(struct source *source, const char *bytes, size_t size);

/* False, with errno, when the file can't be opened; EISDIR or EINVAL when it is no regular file. */
bool source_open_file(struct source *source, const char *path);

/* `size` -1: not known. */
void source_open_fed(struct source *source, curl_off_t size);

/* Takes more; `bytes` NULL is the end. False when there is no memory; a wrong number of bytes is noted
 * in `fault`. */
bool source_feed(struct source *source, const char *bytes, size_t length);

/* Starts again from the first byte. False if that byte is gone, or must not be sent again. */
bool source_rewind(struct source *source);

/* Whether the read function would not have to pause. */
bool source_can_give(const struct source *source);

/* libcurl's read and seek functions; the last argument is the source. */
size_t source_read(char *room, size_t size, size_t count, void *argument);
int source_seek(void *argument, curl_off_t offset, int origin);

/* Lets go of everything; the memory of the feeding buffer is kept for the next use. */
void source_close(struct source *source);

void source_free(struct source *source);

#endif
