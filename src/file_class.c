/* The Lua class of file.c: see lua/waba/meta.lua. */
#include <errno.h>

#include "compat.h"
#include "core.h"
#include "file.h"
#include "limit.h"

static const char FILE_CLASS[] = "waba.AppendFile";

/* Pushes true, or nil and the meaning of errno. */
static int push_result(lua_State *L, bool succeeded) {
  char text[LIMIT_TEXT_SIZE];
  if (!succeeded) return compat_pusherror(L, limit_describe(errno, text));
  lua_pushboolean(L, 1);
  return 1;
}

static struct file *check_file(lua_State *L) { return compat_checkclass(L, 1, FILE_CLASS); }

static struct file *check_open(lua_State *L) {
  struct file *file = check_file(L);
  if (file->descriptor < 0) luaL_error(L, "attempt to use a closed file");
  return file;
}

/* append(path) -> file | nil, message, is_locked */
int file_new(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  struct file *file = lua_newuserdatauv(L, sizeof *file, 0);
  bool is_locked;
  file_init(file);
  compat_setclass(L, FILE_CLASS);
  if (file_open(file, path)) return 1;
  is_locked = errno == EWOULDBLOCK || errno == EAGAIN;
  push_result(L, false);
  lua_pushboolean(L, is_locked);
  return 3;
}

/* file:write(bytes) -> true | nil, message */
static int file_write_method(lua_State *L) {
  struct file *file = check_open(L);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  return push_result(L, file_append(file, bytes, length));
}

/* file:sync() -> true | nil, message */
static int file_sync_method(lua_State *L) { return push_result(L, file_sync(check_open(L))); }

/* file:truncate(size) -> true | nil, message */
static int file_truncate_method(lua_State *L) {
  struct file *file = check_open(L);
  const lua_Number size = luaL_checknumber(L, 2);
  luaL_argcheck(L, size >= 0 && size <= (lua_Number)file->size, 2, "not within the file");
  return push_result(L, file_truncate(file, (off_t)size));
}

/* file:size() -> bytes */
static int file_size_method(lua_State *L) {
  compat_pushinteger(L, (long long)check_open(L)->size);
  return 1;
}

static int file_gc(lua_State *L) {
  file_close(check_file(L));
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
