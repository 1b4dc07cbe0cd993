/* System calls that fail when a spec requires it. The module of spec/support/parts.c is linked with this file. Other
 * programs preload this file as a library, and then also load it as a Lua module with the function `fail`. This file
 * declares the few functions of Lua that it uses, because they are the same in all versions. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#if defined(__linux__)
#include <sys/epoll.h>
#endif
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct lua_State lua_State;
typedef int (*lua_CFunction)(lua_State *);
void lua_createtable(lua_State *, int, int);
void lua_pushcclosure(lua_State *, lua_CFunction, int);
void lua_setfield(lua_State *, int, const char *);
double luaL_checknumber(lua_State *, int);
const char *luaL_checklstring(lua_State *, int, size_t *);

int failing_calls_fail(lua_State *L);
int luaopen_failing_calls(lua_State *L);

/* The calls that will fail. */
static struct {
  char name[16];
  int number; /* errno; 0: the call returns 0 and does nothing; -n: the call writes or reads only n bytes */
  int left;   /* the number of calls that succeed before the failure */
  bool is_set;
} calls[4];

/* Counts a call. Returns whether this call fails; `*number` is then the errno of the call. */
static bool fails(const char *name, int *number) {
  bool failed = false;
  for (int i = 0; i < 4; i++) {
    if (!calls[i].is_set || strcmp(name, calls[i].name) != 0 || calls[i].left-- > 0) continue;
    calls[i].is_set = false;
    errno = *number = calls[i].number;
    failed = true;
  }
  return failed;
}

/* Defines a function of the system that may fail. */
#define DEFINE(type, name, parameters, arguments)                  \
  type name parameters {                                           \
    static type(*real) parameters;                                 \
    int number = 1;                                                \
    if (real == NULL) *(void **)(&real) = dlsym(RTLD_NEXT, #name); \
    bool failed = fails(#name, &number);                           \
    if (number < 0) LIMIT;                                         \
    if (failed && number >= 0) return number == 0 ? 0 : -1;        \
    return real arguments;                                         \
  }

#define LIMIT (void)0
DEFINE(int, access, (const char *path, int mode), (path, mode))
DEFINE(int, close, (int descriptor), (descriptor))
DEFINE(int, fdatasync, (int descriptor), (descriptor))
DEFINE(int, flock, (int descriptor, int operation), (descriptor, operation))
DEFINE(int, fstat, (int descriptor, struct stat *status), (descriptor, status))
DEFINE(int, fsync, (int descriptor), (descriptor))
DEFINE(int, pipe, (int ends[2]), (ends))
#if defined(__linux__)
DEFINE(int, epoll_create1, (int flags), (flags))
DEFINE(int, epoll_ctl, (int descriptor, int operation, int socket, struct epoll_event *event),
       (descriptor, operation, socket, event))
#endif
DEFINE(int, ftruncate, (int descriptor, off_t size), (descriptor, size))
#undef LIMIT
#define LIMIT size = (size_t)-number
DEFINE(ssize_t, pread, (int descriptor, void *bytes, size_t size, off_t from), (descriptor, bytes, size, from))
DEFINE(ssize_t, write, (int descriptor, const void *bytes, size_t size), (descriptor, bytes, size))

int open(const char *path, int flags, ...) {
  static int (*real)(const char *, int, ...);
  int number;
  va_list arguments;
  if (real == NULL) *(void **)(&real) = dlsym(RTLD_NEXT, "open");
  if (fails("open", &number)) return -1;
  va_start(arguments, flags);
  int mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
  va_end(arguments);
  return real(path, flags, mode);
}

/* fail(name, number, successes): after a number of calls that succeed, one call of the function fails. At most four failures
 * may be set at a time. */
int failing_calls_fail(lua_State *L) {
  int i = 0;
  while (i < 3 && calls[i].is_set) i++;
  strncpy(calls[i].name, luaL_checklstring(L, 1, NULL), sizeof calls[i].name - 1);
  calls[i].number = (int)luaL_checknumber(L, 2);
  calls[i].left = (int)luaL_checknumber(L, 3);
  calls[i].is_set = true;
  return 0;
}

int luaopen_failing_calls(lua_State *L) {
  lua_createtable(L, 0, 1);
  lua_pushcclosure(L, failing_calls_fail, 0);
  lua_setfield(L, -2, "fail");
  return 1;
}
