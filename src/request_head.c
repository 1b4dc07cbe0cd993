/* Writes the heads of HTTP/1.1 requests as bytes, for a transport that owns its sockets. */
#include "compat.h"
#include "core.h"
#include "credentials.h"
#include "origin.h"
#include "text.h"

static const char READY_HEAD_CLASS[] = "waba.ReadyHead";

/* The bytes of a head, none of which is a NUL. While `capacity` is 0, the bytes are only counted. */
struct writer {
  char *out;
  size_t capacity; /* the size of `out` */
  size_t size;
};

static void write_text(struct writer *writer, const char *text) {
  const size_t length = strlen(text);
  if (writer->size <= writer->capacity && length <= writer->capacity - writer->size && length > 0) {
    memcpy(writer->out + writer->size, text, length);
  }
  writer->size += length;
}

/* Writes the headers in the table at `index`, and the header `secret` unless it is NULL. */
static const char *write_headers(lua_State *L, int index, struct writer *writer, const struct credentials *secret) {
  lua_pushnil(L);
  while (lua_next(L, index)) { /* [.. name value] */
    size_t name_length, value_length;
    const bool are_strings = lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING;
    luaL_argcheck(L, are_strings, index, "names and values of headers must be strings");
    const char *const name = lua_tolstring(L, -2, &name_length), *const value = lua_tolstring(L, -1, &value_length);
    const char *message = text_header_error(name, name_length, value, value_length);
    if (message != NULL) return message;
    if (text_is(name, name_length, "host")) return "the headers contain Host: expected it only as the argument host";
    if (secret != NULL && text_equals_ignoring_case(name, name_length, secret->line, secret->name_length)) {
      return "the headers contain the secret header: expected it only in the secret";
    }
    write_text(writer, name);
    write_text(writer, ": ");
    write_text(writer, value);
    write_text(writer, "\r\n");
    lua_pop(L, 1);
  }
  return NULL;
}

/* Writes the head from the arguments of `core.ready_head`: [method target host headers ..]. */
static const char *write_head(lua_State *L, struct writer *writer, const struct credentials *secret) {
  write_text(writer, lua_tostring(L, 1));
  write_text(writer, " ");
  write_text(writer, lua_tostring(L, 2));
  write_text(writer, " HTTP/1.1\r\nHost: ");
  write_text(writer, lua_tostring(L, 3));
  write_text(writer, "\r\n");
  const char *message = write_headers(L, 4, writer, secret);
  if (message != NULL) return message;
  if (secret != NULL && secret->line != NULL) { /* a finalizer may have closed the secret */
    write_text(writer, secret->line);
    write_text(writer, "\r\n");
  }
  write_text(writer, "\r\n");
  return NULL;
}

static const char *target_error(const char *target, size_t length) {
  if (length == 0 || target[0] != '/') return "the request's target does not begin with a slash: expected /path";
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)target[i];
    if (c <= 0x20 || c >= 0x7F || c == '\\' || c == '#') {
      return "the request's target has a character that is not allowed: expected percent-encoding";
    }
  }
  return NULL;
}

/* Checks method, target, host and origin. If the secret belongs to another origin, sets `*secret` to NULL. The host
 * must be the host of the origin, because otherwise the secret could be sent to another host. */
static const char *check_head(lua_State *L, const struct credentials **secret) {
  char origin[ORIGIN_SIZE];
  size_t method_length, target_length, host_length, origin_length;
  const char *method = luaL_checklstring(L, 1, &method_length);
  const char *target = luaL_checklstring(L, 2, &target_length);
  const char *host = luaL_checklstring(L, 3, &host_length);
  const char *url = luaL_optlstring(L, 6, NULL, &origin_length);
  const char *message = text_method_error(method, method_length);
  if (message == NULL) message = target_error(target, target_length);
  if (message == NULL) message = text_header_value_error(host, host_length);
  if (message == NULL && host_length == 0) message = "the host is empty: expected the host of the URL";
  if (message != NULL || *secret == NULL) return message;
  if ((*secret)->memory == NULL) return "the secret is closed";
  luaL_argcheck(L, url != NULL, 6, "the origin of the request is required with a secret");
  message = origin_read(url, origin_length, origin);
  if (message != NULL) return message;
  if (!text_is(host, host_length, strstr(origin, "://") + 3)) return "the host is not that of the origin";
  if (!credentials_belong_to(*secret, origin)) *secret = NULL;
  return NULL;
}

/* The space for the header Content-Length or Transfer-Encoding, and for the blank line. */
#define LENGTH_SIZE 64

/* The start of the userdata. The struct is followed by the bytes of the head, and then by LENGTH_SIZE further bytes. */
struct ready_head {
  size_t size; /* the size of the head without the blank line; 0: closed */
};

static char *bytes_of(struct ready_head *head) { return (char *)(head + 1); }

static struct ready_head *check_ready_head(lua_State *L) { return compat_checkclass(L, 1, READY_HEAD_CLASS); }

int ready_head_new(lua_State *L) {
  struct writer writer = {NULL, 0, 0};
  const struct credentials *secret = NULL;
  luaL_checktype(L, 4, LUA_TTABLE);
  if (!lua_isnoneornil(L, 5)) secret = luaL_checkudata(L, 5, HEADER_SECRET_CLASS);
  lua_settop(L, 6);
  const char *message = check_head(L, &secret);
  if (message == NULL) message = write_head(L, &writer, secret);
  if (message != NULL) return compat_pusherror(L, message);
  struct ready_head *head = lua_newuserdatauv(L, sizeof *head + writer.size + LENGTH_SIZE, 0);
  head->size = 0;
  writer.out = bytes_of(head);
  writer.capacity = writer.size;
  writer.size = 0;
  message = write_head(L, &writer, secret);
  /* A finalizer may have changed the headers or closed the secret after the size was computed. */
  if (message == NULL && writer.size != writer.capacity) {
    message = "the headers or the secret changed while the head was written";
  }
  if (message != NULL) {
    text_wipe(writer.out, writer.capacity);
    return compat_pusherror(L, message);
  }
  head->size = writer.size - 2;
  compat_setclass(L, READY_HEAD_CLASS);
  return 1;
}

static int ready_head_bytes_method(lua_State *L) {
  struct ready_head *head = check_ready_head(L);
  char *const bytes = bytes_of(head);
  struct writer writer = {bytes, head->size + LENGTH_SIZE, head->size};
  if (head->size == 0) return luaL_error(L, "attempt to use a closed head");
  if (lua_isboolean(L, 2)) {
    write_text(&writer, "Transfer-Encoding: chunked\r\n");
  } else if (!lua_isnoneornil(L, 2)) {
    const lua_Number size = luaL_checknumber(L, 2);
    luaL_argcheck(L, size >= 0 && size <= 9007199254740992.0, 2, "must be from 0 to 2^53");
    write_text(&writer, "Content-Length: ");
    writer.size += text_integer((long long)size, bytes + writer.size);
    write_text(&writer, "\r\n");
  }
  write_text(&writer, "\r\n");
  return compat_bytes(L, bytes, writer.size);
}

static int ready_head_gc(lua_State *L) {
  struct ready_head *head = check_ready_head(L);
  text_wipe(bytes_of(head), head->size);
  head->size = 0;
  return 0;
}

static int ready_head_tostring(lua_State *L) {
  lua_pushfstring(L, "%s%s", READY_HEAD_CLASS, check_ready_head(L)->size == 0 ? " (closed)" : "");
  return 1;
}

static const luaL_Reg ready_head_class[] = {
    {"bytes", ready_head_bytes_method},
    {"__gc", ready_head_gc},
    {"__close", ready_head_gc},
    {"__tostring", ready_head_tostring},
    {NULL, NULL},
};

void ready_head_register(lua_State *L) { compat_newclass(L, READY_HEAD_CLASS, ready_head_class); }
