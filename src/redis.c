/* Writes commands for Redis in its protocol: for each command "*<number of words>\r\n", and for each word
 * "$<length>\r\n<word>\r\n". */
#include "compat.h"
#include "core.h"
#include "text.h"

/* Writes `kind`, the number and a line break. */
static void add_number(luaL_Buffer *buffer, char kind, size_t number) {
  char line[1 + TEXT_INTEGER_SIZE + 2] = {kind};
  const size_t end = 1 + text_integer((long long)number, line + 1);
  memcpy(line + end, "\r\n", 2);
  luaL_addlstring(buffer, line, end + 2);
}

/* The command and the word are at fixed positions of the stack, because `luaL_Buffer` can use the top of the stack. Lua
 * does not collect a word at a fixed position, even if a finalizer removes the word from its command. */
int redis_commands(lua_State *L) {
  luaL_Buffer buffer;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 3); /* [commands command word] */
  luaL_buffinit(L, &buffer);
  for (size_t i = 1; i <= lua_rawlen(L, 1); i++) {
    lua_rawgeti(L, 1, (int)i);
    lua_replace(L, 2);
    luaL_checktype(L, 2, LUA_TTABLE);
    const size_t count = lua_rawlen(L, 2);
    add_number(&buffer, '*', count);
    for (size_t j = 1; j <= count; j++) {
      size_t length;
      lua_rawgeti(L, 2, (int)j);
      lua_replace(L, 3);
      if (lua_type(L, 3) != LUA_TSTRING) {
        return luaL_error(L, "a word of a command must be a string, not a %s", luaL_typename(L, 3));
      }
      const char *word = lua_tolstring(L, 3, &length);
      add_number(&buffer, '$', length);
      luaL_addlstring(&buffer, word, length);
      luaL_addlstring(&buffer, "\r\n", 2);
    }
  }
  luaL_pushresult(&buffer);
  return 1;
}
