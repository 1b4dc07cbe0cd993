/* The Lua classes of credentials.c: see annotations/core.lua. */
#include "compat.h"
#include "core.h"
#include "credentials.h"

/* Returns a string field of the table at index 1. The string stays on the stack. */
static const char *check_field(lua_State *L, const char *name, size_t *length) {
  lua_getfield(L, 1, name);
  if (lua_type(L, -1) != LUA_TSTRING) luaL_argerror(L, 1, lua_pushfstring(L, "field '%s' must be a string", name));
  return lua_tolstring(L, -1, length);
}

/* Creates a userdata of the class from the table { header, value, origin } at index 1. Returns the number of results:
 * [..] -> [userdata] or [nil message]. */
static int new_secret(lua_State *L, const char *class) {
  size_t name_length, value_length, origin_length;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  const char *name = check_field(L, "header", &name_length);
  const char *value = check_field(L, "value", &value_length);
  const char *origin = check_field(L, "origin", &origin_length);
  struct credentials *credentials = lua_newuserdatauv(L, sizeof *credentials, 0);
  memset(credentials, 0, sizeof *credentials); /* __gc reads the struct even if `credentials_fill` fails */
  luaL_setmetatable(L, class);
  const char *message = credentials_fill(credentials, name, name_length, value, value_length, origin, origin_length);
  if (message == credentials_no_memory) return luaL_error(L, "%s", message);
  return message == NULL ? 1 : compat_pusherror(L, message);
}

int credentials_new(lua_State *L) { return new_secret(L, CREDENTIALS_CLASS); }

int header_secret_new(lua_State *L) { return new_secret(L, HEADER_SECRET_CLASS); }

static struct credentials *check_secret(lua_State *L) {
  struct credentials *credentials = luaL_testudata(L, 1, HEADER_SECRET_CLASS);
  return credentials != NULL ? credentials : luaL_checkudata(L, 1, CREDENTIALS_CLASS);
}

static int secret_gc(lua_State *L) {
  credentials_clear(check_secret(L));
  return 0;
}

static int secret_tostring(lua_State *L) {
  const struct credentials *credentials = check_secret(L);
  const char *const class = luaL_testudata(L, 1, CREDENTIALS_CLASS) != NULL ? CREDENTIALS_CLASS : HEADER_SECRET_CLASS;
  if (credentials->memory == NULL) {
    lua_pushfstring(L, "%s (closed)", class);
  } else {
    lua_pushlstring(L, credentials->line, credentials->name_length);
    lua_pushfstring(L, "%s (%s for %s)", class, lua_tostring(L, -1), credentials->origin);
  }
  return 1;
}

/* The least length, in bytes, of a secret that is redacted. A shorter secret could occur in ordinary words; no gateway
 * issues a shorter secret. */
#define REDACT_LEAST 8

int credentials_redact(lua_State *L) {
  static const char hidden[] = "(hidden)";
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length), *found;
  const char *const end = text + length;
  const struct credentials *credentials = luaL_checkudata(L, 2, CREDENTIALS_CLASS);
  luaL_Buffer buffer;
  lua_settop(L, 2);
  luaL_buffinit(L, &buffer);
  found = credentials->value_length < REDACT_LEAST ? NULL : credentials_find(credentials, text, length);
  while (found != NULL) {
    luaL_addlstring(&buffer, text, (size_t)(found - text));
    luaL_addlstring(&buffer, hidden, sizeof hidden - 1);
    text = found + credentials->value_length;
    found = credentials_find(credentials, text, (size_t)(end - text));
  }
  luaL_addlstring(&buffer, text, (size_t)(end - text));
  luaL_pushresult(&buffer);
  return 1;
}

static const luaL_Reg secret_class[] = {
    {"__gc", secret_gc},
    {"__close", secret_gc},
    {"__tostring", secret_tostring},
    {NULL, NULL},
};

void credentials_register(lua_State *L) {
  compat_newclass(L, CREDENTIALS_CLASS, secret_class);
  compat_newclass(L, HEADER_SECRET_CLASS, secret_class);
}
