/* A file that is only ever appended to, and belongs to whoever has it open: the journal of a bulk run. Pure
 * C. Functions that can fail return false, with the reason in errno. */
#ifndef WABA_FILE_H
#define WABA_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct file {
  int descriptor; /* -1: closed */
  off_t size;
};

/* Makes an unused struct closed. */
void file_init(struct file *file);

/* Opens a regular file, which is made when there is none, and locks it (flock) until it is closed or the
 * process has ended. errno is EWOULDBLOCK when somebody else has it. */
bool file_open(struct file *file, const char *path);

/* Appends all of the bytes or none: what was written of them is taken back when the rest fails. errno is ENOENT when
 * the file was removed or replaced. */
bool file_append(struct file *file, const char *bytes, size_t length);

/* Comes back when everything appended so far is on the disk. */
bool file_sync(struct file *file);

/* Cuts the file off behind its first `size` bytes. */
bool file_truncate(struct file *file, off_t size);

/* Harmless when repeated. */
void file_close(struct file *file);

#endif
