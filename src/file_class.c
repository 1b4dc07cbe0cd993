/* The Lua face of file.c: see lua/waba/meta.lua. */
#include "file_class.h"

#include <errno.h>

#include "compat.h"
#include "file.h"
#include "limit.h"

#define FILE_CLASS "waba.AppendFile"

/* true, or nil and the reason in errno. */
static int push_outcome(lua_State *L, bool fine) {
  char text[LIMIT_TEXT_SIZE];
  const int fault = errno;
  if (fine) {
    lua_pushboolean(L, 1);
    return 1;
  }
  return compat_pushfault(L, limit_describe(fault, text));
}

static struct file *check_file(lua_State *L) {
  struct file *file = luaL_checkudata(L, 1, FILE_CLASS);
  if (file->descriptor < 0) luaL_error(L, "attempt to use a closed file");
  return file;
}

/* append(path) -> file | nil, message, is_locked */
static int file_open_function(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  struct file *file = lua_newuserdatauv(L, sizeof *file, 0);
  file_init(file);
  luaL_setmetatable(L, FILE_CLASS);
  if (file_open(file, path)) return 1;
  lua_pushboolean(L, errno == EWOULDBLOCK || errno == EAGAIN);
  push_outcome(L, false); /* [.. is_locked nil message] */
  lua_pushvalue(L, -3);
  return 3;
}

/* file:write(bytes) -> true | nil, message */
static int file_write(lua_State *L) {
  struct file *file = check_file(L);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  return push_outcome(L, file_append(file, bytes, length));
}

/* file:sync() -> true | nil, message */
static int file_sync_method(lua_State *L) { return push_outcome(L, file_sync(check_file(L))); }

/* file:truncate(size) -> true | nil, message */
static int file_truncate_method(lua_State *L) {
  struct file *file = check_file(L);
  const lua_Number size = luaL_checknumber(L, 2);
  luaL_argcheck(L, size >= 0 && size <= (lua_Number)file->size, 2, "not within the file");
  return push_outcome(L, file_truncate(file, (off_t)size));
}

/* file:size() -> bytes */
static int file_size_method(lua_State *L) {
  compat_pushinteger(L, (long long)check_file(L)->size);
  return 1;
}

static int file_close_method(lua_State *L) {
  file_close(luaL_checkudata(L, 1, FILE_CLASS));
  return 0;
}

static int file_tostring(lua_State *L) {
  const struct file *file = luaL_checkudata(L, 1, FILE_CLASS);
  lua_pushfstring(L, FILE_CLASS " (%s)", file->descriptor < 0 ? "closed" : "open");
  return 1;
}

static const luaL_Reg file_class[] = {
    {"write", file_write},
    {"sync", file_sync_method},
    {"truncate", file_truncate_method},
    {"size", file_size_method},
    {"close", file_close_method},
    {"__gc", file_close_method},
    {"__close", file_close_method},
    {"__tostring", file_tostring},
    {NULL, NULL},
};

void file_register(lua_State *L) {
  compat_newclass(L, FILE_CLASS, file_class);
  lua_pushcfunction(L, file_open_function);
  lua_setfield(L, -2, "append");
}
