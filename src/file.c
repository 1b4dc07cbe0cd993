/* The Lua class waba.AppendFile: a locked file to which lines are appended, as the journal of a bulk run; and functions
 * for files that Lua itself does not offer. The C functions return false, with errno, if they fail.
 * annotations/core.lua describes the class and the functions. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "compat.h"
#include "core.h"
#include "system.h"
#include "text.h"

static const char FILE_CLASS[] = "waba.AppendFile";

struct file {
  int descriptor; /* -1: closed */
  off_t size;
};

/* Writes the directory entry of a new file to the disk. */
static bool sync_folder(const char *path) {
  const char *slash = strrchr(path, '/');
  char *folder = slash == NULL ? text_copy(".", 1) : text_copy(path, slash == path ? 1 : (size_t)(slash - path));
  errno = ENOMEM;
  if (folder == NULL) return false;
  const int descriptor = open(folder, O_RDONLY | O_CLOEXEC);
  int error = 0;
  if (descriptor < 0 && errno != EACCES) error = errno; /* a folder that is not readable can't be opened */
  if (descriptor >= 0) {
    if (fsync(descriptor) != 0 && errno != EINVAL) error = errno; /* some systems can't fsync a folder */
    close(descriptor);
  }
  free(folder);
  errno = error;
  return error == 0;
}

/* Opens or creates a regular file, and locks the file (flock) until it is closed or the process ends. errno is
 * EWOULDBLOCK if another process or another `struct file` has the lock. */
static bool open_file(struct file *file, const char *path) {
  struct stat status;
  const int descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0600);
  if (descriptor < 0) return false;
  int error = 0;
  if (fstat(descriptor, &status) != 0) error = errno;
  else if (!S_ISREG(status.st_mode)) error = EINVAL;
  else if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) error = errno;
  else if (fstat(descriptor, &status) != 0) error = errno; /* another process may have written before the lock */
  else if (status.st_size == 0 && !sync_folder(path)) error = errno;
  if (error != 0) {
    close(descriptor);
    errno = error;
    return false;
  }
  file->descriptor = descriptor;
  file->size = status.st_size;
  return true;
}

/* Appends all bytes or none. Fails with ENOENT if the file was removed or replaced, because the appended bytes would be
 * lost with the old file. */
static bool append(struct file *file, const char *bytes, size_t length) {
  struct stat status;
  size_t written = 0;
  if (fstat(file->descriptor, &status) == 0 && status.st_nlink == 0) {
    errno = ENOENT;
    return false;
  }
  while (written < length) {
    const ssize_t count = write(file->descriptor, bytes + written, length - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      const int error = count == 0 ? EIO : errno;
      if (written > 0 && ftruncate(file->descriptor, file->size) != 0) {
        file->size += (off_t)written; /* the written part of the line remains in the file */
      }
      errno = error;
      return false;
    }
    written += (size_t)count;
  }
  file->size += (off_t)length;
  return true;
}

static bool sync_file(struct file *file) {
#if defined(F_FULLFSYNC)
  if (fcntl(file->descriptor, F_FULLFSYNC) == 0) return true; /* macOS: also empties the cache of the disk itself */
  return fsync(file->descriptor) == 0;
#elif defined(__linux__)
  return fdatasync(file->descriptor) == 0;
#else
  return fsync(file->descriptor) == 0;
#endif
}

/* Pushes true, or nil and the meaning of errno. */
static int push_result(lua_State *L, bool succeeded) {
  char text[SYSTEM_TEXT_SIZE];
  return succeeded ? compat_boolean(L, 1) : compat_pusherror(L, system_describe(errno, text));
}

static struct file *check_file(lua_State *L) { return compat_checkclass(L, 1, FILE_CLASS); }

static struct file *check_open(lua_State *L) {
  struct file *file = check_file(L);
  if (file->descriptor < 0) luaL_error(L, "attempt to use a closed file");
  return file;
}

int file_new(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  struct file *file = lua_newuserdatauv(L, sizeof *file, 0);
  file->descriptor = -1;
  compat_setclass(L, FILE_CLASS);
  if (open_file(file, path)) return 1;
  bool is_locked = errno == EWOULDBLOCK || errno == EAGAIN;
  push_result(L, false);
  lua_pushboolean(L, is_locked);
  return 3;
}

static int file_write_method(lua_State *L) {
  struct file *file = check_open(L);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  return push_result(L, append(file, bytes, length));
}

static int file_sync_method(lua_State *L) { return push_result(L, sync_file(check_open(L))); }

static int file_truncate_method(lua_State *L) {
  struct file *file = check_open(L);
  const lua_Number size = luaL_checknumber(L, 2);
  luaL_argcheck(L, size >= 0 && size <= (lua_Number)file->size, 2, "must be from 0 to the size of the file");
  if (ftruncate(file->descriptor, (off_t)size) != 0) return push_result(L, false);
  file->size = (off_t)size;
  return push_result(L, true);
}

static int file_size_method(lua_State *L) { return compat_integer(L, check_open(L)->size); }

static int file_gc(lua_State *L) {
  struct file *file = check_file(L);
  if (file->descriptor >= 0) close(file->descriptor);
  file->descriptor = -1;
  return 0;
}

static int file_tostring(lua_State *L) {
  lua_pushfstring(L, "%s (%s)", FILE_CLASS, check_file(L)->descriptor < 0 ? "closed" : "open");
  return 1;
}

static const luaL_Reg file_class[] = {
    {"write", file_write_method},
    {"sync", file_sync_method},
    {"truncate", file_truncate_method},
    {"size", file_size_method},
    {"close", file_gc},
    {"__gc", file_gc},
    {"__close", file_gc},
    {"__tostring", file_tostring},
    {NULL, NULL},
};

void file_register(lua_State *L) { compat_newclass(L, FILE_CLASS, file_class); }

/* An existing file is not opened, because closing the file would release the locks that this process has on the
 * file. */
int file_make_private(lua_State *L) {
  const int descriptor = open(luaL_checkstring(L, 1), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor >= 0) close(descriptor);
  return push_result(L, descriptor >= 0 || errno == EEXIST);
}

int file_identity(lua_State *L) {
  struct stat status;
  if (stat(luaL_checkstring(L, 1), &status) != 0) return push_result(L, false);
  const unsigned long long identity[] = {(unsigned long long)status.st_dev, (unsigned long long)status.st_ino};
  return compat_bytes(L, (const char *)identity, sizeof identity);
}

int file_free_space(lua_State *L) {
  struct statvfs volume;
  if (statvfs(luaL_checkstring(L, 1), &volume) != 0) return push_result(L, false);
  lua_pushnumber(L, (lua_Number)volume.f_bavail * (lua_Number)volume.f_frsize);
  return 1;
}

int file_mode(lua_State *L) {
  struct stat status;
  return stat(luaL_checkstring(L, 1), &status) != 0 ? 0 : compat_integer(L, status.st_mode & 07777);
}

int file_can_write(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  struct stat status;
  if (access(path, R_OK | W_OK) != 0 || stat(path, &status) != 0) return push_result(L, false);
  errno = EISDIR;
  return push_result(L, !S_ISDIR(status.st_mode));
}

int file_absolute_path(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  char folder[PATH_MAX];
  if (path[0] == '/') return compat_string(L, path);
  if (getcwd(folder, sizeof folder) == NULL) return push_result(L, false);
  lua_pushfstring(L, "%s/%s", folder, path);
  return 1;
}
