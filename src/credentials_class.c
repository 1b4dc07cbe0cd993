/* The Lua face of credentials.c: see lua/waba/meta.lua. */
#include "credentials_class.h"

#include "compat.h"
#include "credentials.h"

/* The string field of the table at index 1. It stays on the stack. */
static const char *check_field(lua_State *L, const char *name, size_t *length) {
  lua_getfield(L, 1, name);
  if (lua_type(L, -1) != LUA_TSTRING) {
    luaL_argerror(L, 1, lua_pushfstring(L, "field '%s' must be a string", name));
  }
  return lua_tolstring(L, -1, length);
}

/* credentials { header, value, origin } -> userdata | nil, message */
static int credentials_function(lua_State *L) {
  static const struct credentials closed;
  size_t name_length, value_length, origin_length;
  const char *name, *value, *origin, *fault;
  struct credentials *credentials;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  name = check_field(L, "header", &name_length);
  value = check_field(L, "value", &value_length);
  origin = check_field(L, "origin", &origin_length);
  credentials = lua_newuserdatauv(L, sizeof *credentials, 0);
  *credentials = closed; /* sound whatever happens from here on */
  luaL_setmetatable(L, CREDENTIALS_CLASS);
  fault =
      credentials_fill(credentials, name, name_length, value, value_length, origin, origin_length);
  if (fault == credentials_no_memory) return luaL_error(L, "%s", fault);
  return fault == NULL ? 1 : compat_pushfault(L, fault);
}

static int credentials_close(lua_State *L) {
  credentials_clear(luaL_checkudata(L, 1, CREDENTIALS_CLASS));
  return 0;
}

static int credentials_tostring(lua_State *L) {
  const struct credentials *credentials = luaL_checkudata(L, 1, CREDENTIALS_CLASS);
  if (credentials->memory == NULL) {
    lua_pushliteral(L, CREDENTIALS_CLASS " (closed)");
  } else {
    lua_pushlstring(L, credentials->line, credentials->name_length);
    lua_pushfstring(L, CREDENTIALS_CLASS " (%s for %s)", lua_tostring(L, -1), credentials->origin);
  }
  return 1;
}

static const luaL_Reg credentials_class[] = {
    {"__gc", credentials_close},
    {"__close", credentials_close},
    {"__tostring", credentials_tostring},
    {NULL, NULL},
};

void credentials_register(lua_State *L) {
  compat_newclass(L, CREDENTIALS_CLASS, credentials_class);
  lua_pushcfunction(L, credentials_function);
  lua_setfield(L, -2, "credentials");
}
