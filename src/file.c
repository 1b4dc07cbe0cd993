/* A locked file to append to: see file.h. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void file_init(struct file *file) {
  file->descriptor = -1;
  file->size = 0;
}

/* Writes the directory entry of a new file to the disk. */
static bool sync_folder(const char *path) {
  const char *slash = strrchr(path, '/');
  const size_t length = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
  char *folder = malloc(length + 1);
  int descriptor, error = 0;
  if (folder == NULL) {
    errno = ENOMEM;
    return false;
  }
  memcpy(folder, slash == NULL ? "." : path, length);
  folder[length] = '\0';
  descriptor = open(folder, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    if (errno != EACCES) error = errno; /* a folder may be writable and not readable */
  } else {
    if (fsync(descriptor) != 0 && errno != EINVAL) error = errno; /* some systems can't sync folders */
    close(descriptor);
  }
  free(folder);
  errno = error;
  return error == 0;
}

bool file_open(struct file *file, const char *path) {
  struct stat status;
  int error = 0;
  int descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0600);
  if (descriptor < 0) return false;
  if (fstat(descriptor, &status) != 0) {
    error = errno;
  } else if (!S_ISREG(status.st_mode)) {
    error = EINVAL;
  } else if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    error = errno;
  } else if (fstat(descriptor, &status) != 0) { /* the size may have changed before the lock */
    error = errno;
  } else if (status.st_size == 0 && !sync_folder(path)) {
    error = errno;
  }
  if (error != 0) {
    close(descriptor);
    errno = error;
    return false;
  }
  file->descriptor = descriptor;
  file->size = status.st_size;
  return true;
}

/* Whether the file was removed or replaced: what is written to it is lost. */
static bool is_removed(const struct file *file) {
  struct stat status;
  return fstat(file->descriptor, &status) == 0 && status.st_nlink == 0;
}

bool file_append(struct file *file, const char *bytes, size_t length) {
  size_t written = 0;
  if (is_removed(file)) {
    errno = ENOENT;
    return false;
  }
  while (written < length) {
    const ssize_t count = write(file->descriptor, bytes + written, length - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      const int error = count == 0 ? EIO : errno;
      if (written > 0 && ftruncate(file->descriptor, file->size) != 0) {
        file->size += (off_t)written; /* an incomplete line stays in the file */
      }
      errno = error;
      return false;
    }
    written += (size_t)count;
  }
  file->size += (off_t)length;
  return true;
}

bool file_sync(struct file *file) {
#if defined(F_FULLFSYNC)
  if (fcntl(file->descriptor, F_FULLFSYNC) == 0)
    return true; /* macOS: also the cache of the disk */
  return fsync(file->descriptor) == 0;
#elif defined(__linux__)
  return fdatasync(file->descriptor) == 0;
#else
  return fsync(file->descriptor) == 0;
#endif
}

bool file_truncate(struct file *file, off_t size) {
  if (ftruncate(file->descriptor, size) != 0) return false;
  file->size = size;
  return true;
}

void file_close(struct file *file) {
  if (file->descriptor >= 0) close(file->descriptor);
  file->descriptor = -1;
}
