/* The module waba.core: its table of functions, and its short functions. No function of the module calls Lua code or
 * waits. The module links no library. annotations/core.lua describes the functions. */
#include "core.h"

#include <errno.h>
#include <limits.h>
#include <time.h>

#include "buffer.h"
#include "compat.h"
#include "origin.h"
#include "system.h"
#include "text.h"

static int utf8_length(lua_State *L) {
  size_t length, characters, error_at;
  const char *text = luaL_checklstring(L, 1, &length);
  const bool is_valid = text_utf8_length(text, length, &characters, &error_at);
  if (!is_valid) lua_pushnil(L);
  lua_pushinteger(L, (lua_Integer)(is_valid ? characters : error_at + 1));
  return is_valid ? 1 : 2;
}

static int is_number(lua_State *L) {
  const lua_Integer least = luaL_checkinteger(L, 2), most = luaL_checkinteger(L, 3);
  size_t length = 0, i = 0;
  const char *text = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, &length) : "0";
  if (text[0] != '0' && (lua_Integer)length >= least && (lua_Integer)length <= most) {
    while (i < length && text_is_digit(text[i])) i++;
  }
  return compat_boolean(L, length > 0 && i == length);
}

static int equals(lua_State *L) {
  size_t secret_length, candidate_length;
  const char *secret = luaL_checklstring(L, 1, &secret_length);
  const char *candidate = luaL_checklstring(L, 2, &candidate_length);
  return compat_boolean(L, text_equals(secret, secret_length, candidate, candidate_length));
}

static int check_header(lua_State *L) {
  size_t name_length, value_length;
  const char *name = luaL_checklstring(L, 1, &name_length);
  const char *value = luaL_checklstring(L, 2, &value_length);
  const char *message = text_header_error(name, name_length, value, value_length);
  return message != NULL ? compat_pusherror(L, message) : compat_boolean(L, 1);
}

static int origin(lua_State *L) {
  char text[ORIGIN_SIZE];
  size_t length;
  const char *url = luaL_checklstring(L, 1, &length);
  const char *message = origin_read(url, length, text);
  return message != NULL ? compat_pusherror(L, message) : compat_string(L, text);
}

static double seconds_of_clock(void) {
  struct timespec now = {0, 0};
  clock_gettime(CLOCK_MONOTONIC, &now); /* can't fail, because each supported system has this clock */
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int monotonic_clock(lua_State *L) {
  lua_pushnumber(L, seconds_of_clock());
  return 1;
}

#if LUA_VERSION_NUM < 502
/* LuaJIT compiles a call of a C function only if its module `ffi` makes the call. */
static const char CLOCK_OF_FFI[] =
    "local pointer = ...\n"
    "local has_ffi, ffi = pcall(require, 'ffi')\n"
    "if not rawget(_G, 'jit') or not has_ffi then return nil end\n"
    "local clock = ffi.cast('double (**)(void)', pointer)[0]\n"
    "return function() return clock() end";

/* Replaces the function `clock` of the module, which is at the top of the stack, if the interpreter is LuaJIT. */
static void register_clock(lua_State *L) {
  static double (*pointer)(void) = seconds_of_clock;
  if (luaL_loadbuffer(L, CLOCK_OF_FFI, sizeof CLOCK_OF_FFI - 1, "=waba.core") != 0) lua_error(L);
  lua_pushlightuserdata(L, &pointer);
  lua_call(L, 1, 1);
  if (lua_isnil(L, -1)) lua_pop(L, 1);
  else lua_setfield(L, -2, "clock");
}
#endif

static int random_number(lua_State *L) {
  uint64_t bits;
  char text[SYSTEM_TEXT_SIZE];
  if (!system_random(&bits)) {
    return luaL_error(L, "the system returned no random bytes: %s", system_describe(errno, text));
  }
  lua_pushnumber(L, (lua_Number)(bits >> 11) / 9007199254740992.0); /* 53 bits, because a double represents no more */
  return 1;
}

static int remove_at_exit(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TBOOLEAN);
  if (!lua_toboolean(L, 2)) system_keep_at_exit(path);
  else if (!system_remove_at_exit(path)) return luaL_error(L, "not enough memory");
  return 0;
}

static int error_text(lua_State *L) {
  char text[SYSTEM_TEXT_SIZE];
  return compat_string(L, system_describe((int)luaL_checkinteger(L, 1), text));
}

static int free_buffer(lua_State *L) {
  buffer_free(lua_touserdata(L, 1));
  return 0;
}

/* Pushes a buffer that Lua frees. */
static struct buffer *new_buffer(lua_State *L) {
  struct buffer *const buffer = lua_newuserdatauv(L, sizeof *buffer, 0);
  memset(buffer, 0, sizeof *buffer);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, free_buffer);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  return buffer;
}

static void append(lua_State *L, struct buffer *buffer, const char *bytes, size_t length) {
  if (buffer_append(buffer, bytes, length)) return;
  buffer_clear(buffer);
  luaL_error(L, "not enough memory");
}

/* Writes `kind`, the number and a line break. */
static void add_number(lua_State *L, struct buffer *buffer, char kind, size_t number) {
  char line[1 + TEXT_INTEGER_SIZE + 2] = {kind};
  const size_t end = 1 + text_integer((long long)number, line + 1);
  memcpy(line + end, "\r\n", 2);
  append(L, buffer, line, end + 2);
}

/* Writes commands in the protocol of Redis: for each command "*<number of words>\r\n", and for each word
 * "$<length>\r\n<word>\r\n". The upvalue is a buffer, because a `luaL_Buffer` makes strings of the parts of a long text.
 * The buffer is in use if a finalizer calls this function while `lua_pushlstring` collects garbage. */
static int redis_commands(lua_State *L) {
  struct buffer *buffer = lua_touserdata(L, lua_upvalueindex(1));
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  if (buffer->length > 0) buffer = new_buffer(L);
  lua_settop(L, 2); /* [commands buffer] */
  for (size_t i = 1; i <= lua_rawlen(L, 1); i++) {
    lua_rawgeti(L, 1, (int)i);
    if (!lua_istable(L, 3)) buffer_clear(buffer);
    luaL_checktype(L, 3, LUA_TTABLE);
    const size_t count = lua_rawlen(L, 3);
    add_number(L, buffer, '*', count);
    for (size_t j = 1; j <= count; j++) {
      size_t length;
      lua_rawgeti(L, 3, (int)j);
      if (lua_type(L, 4) != LUA_TSTRING) {
        buffer_clear(buffer);
        return luaL_error(L, "a word of a command must be a string, not a %s", luaL_typename(L, 4));
      }
      const char *word = lua_tolstring(L, 4, &length);
      add_number(L, buffer, '$', length);
      append(L, buffer, word, length);
      append(L, buffer, "\r\n", 2);
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  lua_pushlstring(L, buffer->length > 0 ? buffer->bytes : "", buffer->length);
  buffer_clear(buffer);
  return 1;
}

/* Reads the parts of a text (see redis_parts). Returns their number, or -1 if the text has another form. Appends the
 * parts to the table at index 2 if `L` is not NULL. */
static int read_parts(lua_State *L, const char *at, const char *end) {
  int count = 0;
  while (at < end) {
    const char *const line_end = memchr(at, '\n', (size_t)(end - at));
    if (line_end == NULL) return -1;
    const char *bytes = line_end + 1;
    while (at < line_end) {
      const char kind = *at == '-' || *at == '=' ? *at++ : '\0';
      size_t number = 0, digits = 0;
      for (; at < line_end && *at >= '0' && *at <= '9'; at++) {
        if (++digits > 15) return -1;
        number = number * 10 + (size_t)(*at - '0');
      }
      if ((kind == '-') != (digits == 0) || count == INT_MAX) return -1;
      if (at < line_end && *at++ != ' ') return -1;
      if (kind == '\0' && number > (size_t)(end - bytes)) return -1;
      count++;
      if (L != NULL) {
        if (kind == '-') lua_pushboolean(L, 0);
        else if (kind == '=') lua_pushinteger(L, (lua_Integer)number);
        else lua_pushlstring(L, bytes, number);
        lua_rawseti(L, 2, count);
      }
      if (kind == '\0') bytes += number;
    }
    at = bytes;
  }
  return count;
}

/* Splits the reply of a script (store/redis/exchange_code.lua). The text consists of lines, each followed by the bytes
 * of its strings. A line has words: the length of a string, "-" for false, or "=" and an integer. Returns a list, or nil
 * for another text. */
static int redis_parts(lua_State *L) {
  size_t length;
  const char *const text = luaL_checklstring(L, 1, &length);
  const int count = read_parts(NULL, text, text + length);
  lua_settop(L, 1);
  if (count < 0) {
    lua_pushnil(L);
  } else {
    lua_createtable(L, count, 1);
    read_parts(L, text, text + length);
  }
  return 1;
}

static const luaL_Reg functions[] = {
    {"absolute_path", file_absolute_path},
    {"append", file_new},
    {"can_write", file_can_write},
    {"can_yield", can_yield},
    {"check_header", check_header},
    {"clock", monotonic_clock},
    {"credentials", credentials_new},
    {"equals", equals},
    {"file_identity", file_identity},
    {"free_space", file_free_space},
    {"file_mode", file_mode},
    {"header_secret", header_secret_new},
    {"headers", headers_function},
    {"hmac_sha256", sha256_hmac_function},
    {"hold_interrupt", terminal_hold_interrupt},
    {"interrupted", terminal_interrupted},
    {"is_number", is_number},
    {"is_terminal", terminal_is_terminal},
    {"make_private", file_make_private},
    {"origin", origin},
    {"random", random_number},
    {"ready_head", ready_head_new},
    {"redact", credentials_redact},
    {"redis_parts", redis_parts},
    {"remove_at_exit", remove_at_exit},
    {"response_head", response_head_function},
    {"sha256", sha256_new},
    {"system_error", error_text},
    {"terminal_size", terminal_size},
    {"utf8_length", utf8_length},
    {NULL, NULL},
};

WABA_EXPORT int luaopen_waba_core(lua_State *L);

int luaopen_waba_core(lua_State *L) {
  luaL_checkversion(L);
  luaL_newlib(L, functions);
  credentials_register(L);
  file_register(L);
  json_register(L);
  ready_head_register(L);
  sha256_register(L);
  new_buffer(L);
  lua_pushcclosure(L, redis_commands, 1);
  lua_setfield(L, -2, "redis_commands");
#if LUA_VERSION_NUM < 502
  register_clock(L);
#endif
  return 1;
}
