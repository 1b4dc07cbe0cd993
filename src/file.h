/* A locked file to append to: the journal of a bulk run. Pure C. Functions return false, with errno, when they fail. */
#ifndef WABA_FILE_H
#define WABA_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct file {
  int descriptor; /* -1: closed */
  off_t size;
};

/* Initialises a struct as closed. */
void file_init(struct file *file);

/* Opens a regular file, or creates it, and locks it (flock) until it is closed or the process ends. errno is
 * EWOULDBLOCK when another process or another `struct file` has the lock. */
bool file_open(struct file *file, const char *path);

/* Appends all bytes or none. errno is ENOENT when the file was removed or replaced. */
bool file_append(struct file *file, const char *bytes, size_t length);

/* Returns when all appended bytes are on the disk. */
bool file_sync(struct file *file);

bool file_truncate(struct file *file, off_t size);

/* Can be repeated. */
void file_close(struct file *file);

#endif
