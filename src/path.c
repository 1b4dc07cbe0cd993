/* Functions for paths that Lua itself does not offer. annotations/core.lua describes them. */
#include "core.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat.h"

static int push_result(lua_State *L, int error) {
  return error != 0 ? compat_pusherror(L, strerror(error)) : compat_boolean(L, 1);
}

/* An existing file is not opened, because closing the file would release the locks that this process has on the
 * file. */
int path_make_private(lua_State *L) {
  const int descriptor = open(luaL_checkstring(L, 1), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const int error = descriptor < 0 && errno != EEXIST ? errno : 0;
  if (descriptor >= 0) close(descriptor);
  return push_result(L, error);
}

int path_identity(lua_State *L) {
  struct stat status;
  if (stat(luaL_checkstring(L, 1), &status) != 0) return push_result(L, errno);
  const unsigned long long identity[] = {(unsigned long long)status.st_dev, (unsigned long long)status.st_ino};
  return compat_bytes(L, (const char *)identity, sizeof identity);
}

int path_can_write(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  struct stat status;
  if (access(path, R_OK | W_OK) != 0 || stat(path, &status) != 0) return push_result(L, errno);
  return push_result(L, S_ISDIR(status.st_mode) ? EISDIR : 0);
}

int path_absolute(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  char folder[PATH_MAX];
  if (path[0] != '/' && getcwd(folder, sizeof folder) == NULL) return push_result(L, errno);
  if (path[0] == '/') lua_pushvalue(L, 1);
  else lua_pushfstring(L, "%s/%s", folder, path);
  return 1;
}
