/* Writes commands for Redis in its protocol: for each command "*<number of words>\r\n", and for each word
 * "$<length>\r\n<word>\r\n". */
#include <stdint.h>
#include <string.h>

#include "compat.h"
#include "core.h"

/* The largest line with a number, in bytes. */
#define NUMBER_SIZE 24

/* Writes `kind`, the number and a line break. `out` must have space for NUMBER_SIZE bytes. Returns the number of
 * bytes. */
static size_t write_number(char *out, char kind, size_t number) {
  char digits[NUMBER_SIZE];
  size_t count = 0, size = 0;
  do {
    digits[count++] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  out[size++] = kind;
  while (count > 0) out[size++] = digits[--count];
  out[size++] = '\r';
  out[size++] = '\n';
  return size;
}

/* Pushes the word `index` of the list at the top of the stack. Returns the bytes of the word. The bytes are valid as
 * long as the list. */
static const char *push_word(lua_State *L, size_t index, size_t *length) {
  lua_rawgeti(L, -1, (int)index);
  if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "a word of a command must be a string, not a %s", luaL_typename(L, -1));
  return lua_tolstring(L, -1, length);
}

/* Returns the maximum size in bytes of the encoded commands. The list of commands is at `index`. */
static size_t size_of(lua_State *L, int index) {
  size_t size = 0, length;
  for (size_t i = 1; i <= lua_rawlen(L, index); i++) {
    lua_rawgeti(L, index, (int)i); /* [… command] */
    luaL_checktype(L, -1, LUA_TTABLE);
    const size_t count = lua_rawlen(L, -1);
    for (size_t j = 1; j <= count; j++) {
      push_word(L, j, &length);
      lua_pop(L, 1);
      if (length >= SIZE_MAX / 4 - size) luaL_error(L, "the Redis commands are too long: at most a quarter of the address space");
      size += length + NUMBER_SIZE + 2;
    }
    lua_pop(L, 1);
    size += NUMBER_SIZE;
  }
  return size;
}

int redis_commands(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  const size_t capacity = size_of(L, 1);
  char *out = lua_newuserdatauv(L, capacity + 1, 0); /* [commands buffer] */
  size_t size = 0, length;
  /* a finalizer of the program, which ran while the buffer was made, may have changed the commands */
  if (size_of(L, 1) > capacity) luaL_error(L, "the commands changed while they were written");
  for (size_t i = 1; i <= lua_rawlen(L, 1); i++) {
    lua_rawgeti(L, 1, (int)i); /* [commands buffer command] */
    const size_t count = lua_rawlen(L, -1);
    size += write_number(out + size, '*', count);
    for (size_t j = 1; j <= count; j++) {
      const char *word = push_word(L, j, &length);
      size += write_number(out + size, '$', length);
      memcpy(out + size, word, length);
      memcpy(out + size + length, "\r\n", 2);
      size += length + 2;
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  lua_pushlstring(L, out, size);
  return 1;
}
