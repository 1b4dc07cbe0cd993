/* Functions for paths that Lua itself does not offer. */
#include "core.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat.h"

/* make_private(path) -> true | nil, message. An existing file is not opened, because closing it would release the
 * locks that this process has on it. */
int path_make_private(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  const int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0 && errno != EEXIST) return compat_pusherror(L, strerror(errno));
  if (descriptor >= 0) close(descriptor);
  lua_pushboolean(L, 1);
  return 1;
}

/* file_identity(path) -> string | nil, message */
int path_identity(lua_State *L) {
  struct stat status;
  unsigned long long identity[2];
  if (stat(luaL_checkstring(L, 1), &status) != 0) return compat_pusherror(L, strerror(errno));
  identity[0] = (unsigned long long)status.st_dev;
  identity[1] = (unsigned long long)status.st_ino;
  lua_pushlstring(L, (const char *)identity, sizeof identity);
  return 1;
}

/* can_write(path) -> true | nil, message */
int path_can_write(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  struct stat status;
  if (access(path, R_OK | W_OK) != 0 || stat(path, &status) != 0) {
    return compat_pusherror(L, strerror(errno));
  }
  if (S_ISDIR(status.st_mode)) return compat_pusherror(L, strerror(EISDIR));
  lua_pushboolean(L, 1);
  return 1;
}

/* absolute_path(path) -> path | nil, message */
int path_absolute(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  char folder[PATH_MAX];
  if (path[0] == '/') {
    lua_pushvalue(L, 1);
    return 1;
  }
  if (getcwd(folder, sizeof folder) == NULL) return compat_pusherror(L, strerror(errno));
  lua_pushfstring(L, "%s/%s", folder, path);
  return 1;
}
