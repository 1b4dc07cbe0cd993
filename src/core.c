/* luaopen_waba_core: the Lua face of text, request, sha256 and json. Leaf functions only: none calls
 * back into Lua code, none waits, and the module links no library but Lua's. Described in
 * lua/waba/meta.lua. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/random.h>
#else
#include <stdlib.h>
#endif

#include "compat.h"
#include "json.h"
#include "request.h"
#include "sha256.h"
#include "text.h"

#define SHA256_CLASS "waba.Sha256"

WABA_EXPORT int luaopen_waba_core(lua_State *L);

/* The string argument at `index`, short enough that no size computed from it overflows. */
static const char *check_text(lua_State *L, int index, size_t *length) {
  const char *text = luaL_checklstring(L, index, length);
  luaL_argcheck(L, *length <= SIZE_MAX / 8, index, "string too long");
  return text;
}

/* Pushes nil and what is wrong. */
static int push_fault(lua_State *L, const char *fault) {
  lua_pushnil(L);
  lua_pushstring(L, fault);
  return 2;
}

/* utf8_length(text) -> characters | nil, position */
static int core_utf8_length(lua_State *L) {
  size_t length, characters, fault;
  const char *text = luaL_checklstring(L, 1, &length);
  if (text_utf8_length(text, length, &characters, &fault)) {
    lua_pushinteger(L, (lua_Integer)characters);
    return 1;
  }
  lua_pushnil(L);
  lua_pushinteger(L, (lua_Integer)fault + 1);
  return 2;
}

/* base64(bytes) -> string */
static int core_base64(lua_State *L) {
  size_t length;
  const char *bytes = check_text(L, 1, &length);
  const size_t size = text_base64_size(length);
  char *out = lua_newuserdatauv(L, size + 1, 0);
  text_base64(bytes, length, out);
  lua_pushlstring(L, out, size);
  return 1;
}

/* percent_encode(text) -> string */
static int core_percent_encode(lua_State *L) {
  size_t length;
  const char *text = check_text(L, 1, &length);
  const size_t size = text_percent_encode(text, length, NULL);
  char *out;
  if (size == length) { /* nothing to encode */
    lua_pushvalue(L, 1);
    return 1;
  }
  out = lua_newuserdatauv(L, size, 0);
  text_percent_encode(text, length, out);
  lua_pushlstring(L, out, size);
  return 1;
}

/* equals(secret, candidate) -> boolean */
static int core_equals(lua_State *L) {
  size_t secret_length, candidate_length;
  const char *secret = luaL_checklstring(L, 1, &secret_length);
  const char *candidate = luaL_checklstring(L, 2, &candidate_length);
  lua_pushboolean(L, text_equals(secret, secret_length, candidate, candidate_length));
  return 1;
}

/* check_header(name, value) -> true | nil, message */
static int core_check_header(lua_State *L) {
  size_t name_length, value_length;
  const char *name = luaL_checklstring(L, 1, &name_length);
  const char *value = luaL_checklstring(L, 2, &value_length);
  const char *fault = text_header_name_fault(name, name_length);
  if (fault == NULL) fault = text_header_value_fault(value, value_length);
  if (fault != NULL) return push_fault(L, fault);
  lua_pushboolean(L, 1);
  return 1;
}

/* basic(user, password) -> value | nil, message */
static int core_basic(lua_State *L) {
  size_t user_length, password_length;
  const char *user = check_text(L, 1, &user_length);
  const char *password = check_text(L, 2, &password_length);
  const size_t size = request_basic_size(user_length, password_length);
  char *out = lua_newuserdatauv(L, size, 0);
  const char *fault = request_basic(user, user_length, password, password_length, out);
  if (fault != NULL) return push_fault(L, fault);
  lua_pushlstring(L, out, size);
  text_wipe(out, size);
  return 1;
}

/* retry_after(value, now?) -> seconds | nil */
static int core_retry_after(lua_State *L) {
  size_t length;
  const char *value = luaL_checklstring(L, 1, &length);
  const lua_Number now = luaL_optnumber(L, 2, (lua_Number)time(NULL));
  long seconds;
  luaL_argcheck(L, now >= 0 && now < 1e15, 2, "not a Unix time");
  if (request_retry_after(value, length, (long long)now, &seconds)) {
    lua_pushinteger(L, (lua_Integer)seconds);
  } else {
    lua_pushnil(L);
  }
  return 1;
}

/* origin(url) -> origin | nil, message */
static int core_origin(lua_State *L) {
  char origin[REQUEST_ORIGIN_SIZE];
  size_t length;
  const char *url = luaL_checklstring(L, 1, &length);
  const char *fault = request_origin(url, length, origin);
  if (fault != NULL) return push_fault(L, fault);
  lua_pushstring(L, origin);
  return 1;
}

/* clock() -> seconds */
static int core_clock(lua_State *L) {
  struct timespec now;
  if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) return luaL_error(L, "%s", strerror(errno));
  lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
  return 1;
}

/* Fills the number from the system's generator. Returns false with errno set when there is none. */
static bool random_bits(uint64_t *bits) {
#if defined(__linux__)
  char *next = (char *)bits;
  size_t left = sizeof *bits;
  int file;
  ssize_t count;
  do {
    count = getrandom(bits, sizeof *bits, 0); /* so few bytes come at once or not at all */
  } while (count < 0 && errno == EINTR);
  if (count == (ssize_t)sizeof *bits) return true;
  file = open("/dev/urandom", O_RDONLY | O_CLOEXEC); /* a kernel before 3.17, or a strict sandbox */
  if (file < 0) return false;
  while (left > 0) {
    count = read(file, next, left);
    if (count > 0) {
      next += count;
      left -= (size_t)count;
    } else if (count == 0 || errno != EINTR) {
      if (count == 0) errno = EIO;
      break;
    }
  }
  close(file);
  return left == 0;
#else
  arc4random_buf(bits, sizeof *bits);
  return true;
#endif
}

/* random() -> number in [0, 1) */
static int core_random(lua_State *L) {
  uint64_t bits;
  if (!random_bits(&bits)) return luaL_error(L, "no random numbers: %s", strerror(errno));
  lua_pushnumber(L, (lua_Number)(bits >> 11) / 9007199254740992.0); /* 53 bits */
  return 1;
}

/* The string field of the table at index 1. It stays on the stack. */
static const char *check_field(lua_State *L, const char *name, size_t *length) {
  lua_getfield(L, 1, name);
  if (lua_type(L, -1) != LUA_TSTRING) {
    luaL_argerror(L, 1, lua_pushfstring(L, "field '%s' must be a string", name));
  }
  return lua_tolstring(L, -1, length);
}

/* credentials { header, value, origin } -> userdata | nil, message */
static int core_credentials(lua_State *L) {
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
  return fault == NULL ? 1 : push_fault(L, fault);
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

/* The head of a request while it is measured (`out` NULL) and written. */
struct head {
  char *out;
  size_t room; /* of `out` */
  size_t size;
};

static void head_add(struct head *head, const char *text, size_t length) {
  if (head->size <= head->room && length <= head->room - head->size && length > 0) {
    memcpy(head->out + head->size, text, length);
  }
  head->size += length;
}

static void head_add_text(struct head *head, const char *text) {
  head_add(head, text, strlen(text));
}

/* Adds the headers of the table at `index`. `secret` is what is sent as well, or NULL. */
static const char *head_add_table(lua_State *L, int index, struct head *head,
                                  const struct credentials *secret) {
  lua_pushnil(L);
  while (lua_next(L, index)) { /* [.. name value] */
    size_t name_length, value_length;
    const char *name, *value, *fault;
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING) {
      luaL_argerror(L, index, "headers must be strings by name");
    }
    name = lua_tolstring(L, -2, &name_length);
    value = lua_tolstring(L, -1, &value_length);
    fault = text_header_name_fault(name, name_length);
    if (fault == NULL) fault = text_header_value_fault(value, value_length);
    if (fault == NULL && text_equals_ignoring_case(name, name_length, "host", 4)) {
      fault = "the Host header is not among the headers";
    }
    if (fault == NULL && secret != NULL &&
        text_equals_ignoring_case(name, name_length, secret->line, secret->name_length)) {
      fault = "a header has the name of the secret one";
    }
    if (fault != NULL) return fault;
    head_add(head, name, name_length);
    head_add_text(head, ": ");
    head_add(head, value, value_length);
    head_add_text(head, "\r\n");
    lua_pop(L, 1);
  }
  return NULL;
}

/* Adds the whole head from the arguments of `core.head`. */
static const char *head_add_all(lua_State *L, struct head *head, const struct credentials *secret) {
  size_t length;
  const char *text = lua_tolstring(L, 1, &length), *fault;
  head_add(head, text, length);
  head_add_text(head, " ");
  text = lua_tolstring(L, 2, &length);
  head_add(head, text, length);
  head_add_text(head, " HTTP/1.1\r\nHost: ");
  text = lua_tolstring(L, 3, &length);
  head_add(head, text, length);
  head_add_text(head, "\r\n");
  fault = head_add_table(L, 4, head, secret);
  if (fault != NULL) return fault;
  if (secret != NULL) {
    head_add(head, secret->line, secret->line_length);
    head_add_text(head, "\r\n");
  }
  head_add_text(head, "\r\n");
  return NULL;
}

/* Checks method, target, host and origin; `*secret` is cleared when it must not be sent. The origin has
 * to be the host's own, so that no mistake of a caller sends the secret elsewhere. */
static const char *check_head(lua_State *L, const struct credentials **secret) {
  char origin[REQUEST_ORIGIN_SIZE];
  size_t method_length, target_length, host_length, origin_length;
  const char *method = luaL_checklstring(L, 1, &method_length);
  const char *target = luaL_checklstring(L, 2, &target_length);
  const char *host = luaL_checklstring(L, 3, &host_length);
  const char *url = luaL_optlstring(L, 6, NULL, &origin_length);
  const char *fault = request_method_fault(method, method_length), *authority;
  if (fault == NULL) fault = request_target_fault(target, target_length);
  if (fault == NULL) fault = text_header_value_fault(host, host_length);
  if (fault == NULL && host_length == 0) fault = "the host is empty";
  if (fault != NULL || *secret == NULL) return fault;
  if ((*secret)->memory == NULL) return "the credentials are closed";
  luaL_argcheck(L, url != NULL, 6, "credentials need the origin of the request");
  fault = request_origin(url, origin_length, origin);
  if (fault != NULL) return fault;
  authority = strstr(origin, "://") + 3;
  if (!text_equals_ignoring_case(host, host_length, authority, strlen(authority))) {
    return "the host is not the origin's";
  }
  if (!credentials_belong_to(*secret, origin)) *secret = NULL;
  return NULL;
}

/* head(method, target, host, headers, credentials?, origin?) -> string | nil, message */
static int core_head(lua_State *L) {
  const struct credentials *secret = NULL;
  struct head head = {NULL, 0, 0};
  const char *fault;
  luaL_checktype(L, 4, LUA_TTABLE);
  if (!lua_isnoneornil(L, 5)) secret = luaL_checkudata(L, 5, CREDENTIALS_CLASS);
  lua_settop(L, 6);
  fault = check_head(L, &secret);
  if (fault == NULL) fault = head_add_all(L, &head, secret);
  if (fault != NULL) return push_fault(L, fault);
  head.room = head.size;
  head.out = lua_newuserdatauv(L, head.room, 0);
  head.size = 0;
  fault = head_add_all(L, &head, secret);
  /* A finalizer that ran meanwhile may have changed the headers or closed the credentials. */
  if (fault == NULL && head.size != head.room) fault = "the headers changed meanwhile";
  if (fault == NULL) lua_pushlstring(L, head.out, head.size);
  text_wipe(head.out, head.room);
  return fault == NULL ? 1 : push_fault(L, fault);
}

/* Pushes a digest in hexadecimal digits. */
static int push_digest(lua_State *L, const unsigned char digest[SHA256_SIZE]) {
  char hex[2 * SHA256_SIZE];
  sha256_hex(digest, hex);
  lua_pushlstring(L, hex, sizeof hex);
  return 1;
}

/* hmac_sha256(key, bytes) -> hex */
static int core_hmac_sha256(lua_State *L) {
  unsigned char digest[SHA256_SIZE];
  size_t key_length, length;
  const char *key = luaL_checklstring(L, 1, &key_length);
  const char *bytes = luaL_checklstring(L, 2, &length);
  sha256_hmac(key, key_length, bytes, length, digest);
  return push_digest(L, digest);
}

/* sha256() -> hasher */
static int core_sha256(lua_State *L) {
  sha256_start(lua_newuserdatauv(L, sizeof(struct sha256), 0));
  luaL_setmetatable(L, SHA256_CLASS);
  return 1;
}

/* hasher:update(bytes) -> hasher */
static int sha256_update_method(lua_State *L) {
  struct sha256 *hash = luaL_checkudata(L, 1, SHA256_CLASS);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  sha256_update(hash, bytes, length);
  lua_settop(L, 1);
  return 1;
}

/* hasher:hex() -> the digest of the bytes so far; more may follow */
static int sha256_hex_method(lua_State *L) {
  struct sha256 hash = *(struct sha256 *)luaL_checkudata(L, 1, SHA256_CLASS);
  unsigned char digest[SHA256_SIZE];
  sha256_finish(&hash, digest);
  return push_digest(L, digest);
}

static int sha256_tostring(lua_State *L) {
  lua_pushfstring(L, SHA256_CLASS " (%p)", luaL_checkudata(L, 1, SHA256_CLASS));
  return 1;
}

static const luaL_Reg credentials_class[] = {
    {"__gc", credentials_close},
    {"__close", credentials_close},
    {"__tostring", credentials_tostring},
    {NULL, NULL},
};

static const luaL_Reg sha256_class[] = {
    {"update", sha256_update_method},
    {"hex", sha256_hex_method},
    {"__tostring", sha256_tostring},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"utf8_length", core_utf8_length},
    {"base64", core_base64},
    {"percent_encode", core_percent_encode},
    {"equals", core_equals},
    {"check_header", core_check_header},
    {"basic", core_basic},
    {"retry_after", core_retry_after},
    {"origin", core_origin},
    {"clock", core_clock},
    {"random", core_random},
    {"credentials", core_credentials},
    {"head", core_head},
    {"sha256", core_sha256},
    {"hmac_sha256", core_hmac_sha256},
    {NULL, NULL},
};

int luaopen_waba_core(lua_State *L) {
  luaL_checkversion(L);
  compat_newclass(L, CREDENTIALS_CLASS, credentials_class);
  compat_newclass(L, SHA256_CLASS, sha256_class);
  luaL_newlib(L, functions);
  json_register(L);
  return 1;
}
