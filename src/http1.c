/* Heads of HTTP/1.1 requests as bytes, for transports that own their sockets: see http1.h. */
#include "http1.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "compat.h"
#include "credentials.h"
#include "origin.h"
#include "request.h"
#include "text.h"

static const char READY_HEAD_CLASS[] = "waba.ReadyHead";

/* The head of a request while it is measured (`out` NULL) and written. */
struct writer {
  char *out;
  size_t room; /* of `out` */
  size_t size;
};

static void write_bytes(struct writer *writer, const char *text, size_t length) {
  if (writer->size <= writer->room && length <= writer->room - writer->size && length > 0) {
    memcpy(writer->out + writer->size, text, length);
  }
  writer->size += length;
}

static void write_text(struct writer *writer, const char *text) {
  write_bytes(writer, text, strlen(text));
}

/* Adds the headers of the table at `index`. `secret` is what is sent as well, or NULL. */
static const char *write_headers(lua_State *L, int index, struct writer *writer,
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
    write_bytes(writer, name, name_length);
    write_text(writer, ": ");
    write_bytes(writer, value, value_length);
    write_text(writer, "\r\n");
    lua_pop(L, 1);
  }
  return NULL;
}

/* Appends the whole head from the arguments of `core.ready_head`. */
static const char *write_head(lua_State *L, struct writer *writer,
                              const struct credentials *secret) {
  size_t length;
  const char *text = lua_tolstring(L, 1, &length), *fault;
  write_bytes(writer, text, length);
  write_text(writer, " ");
  text = lua_tolstring(L, 2, &length);
  write_bytes(writer, text, length);
  write_text(writer, " HTTP/1.1\r\nHost: ");
  text = lua_tolstring(L, 3, &length);
  write_bytes(writer, text, length);
  write_text(writer, "\r\n");
  fault = write_headers(L, 4, writer, secret);
  if (fault != NULL) return fault;
  if (secret != NULL) {
    write_bytes(writer, secret->line, secret->line_length);
    write_text(writer, "\r\n");
  }
  write_text(writer, "\r\n");
  return NULL;
}

/* Checks method, target, host and origin; `*secret` is cleared when it must not be sent. The origin has
 * to be the host's own, so that no mistake of a caller sends the secret elsewhere. */
static const char *check_head(lua_State *L, const struct credentials **secret) {
  char origin[ORIGIN_SIZE];
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
  if ((*secret)->memory == NULL) return "the secret is closed";
  luaL_argcheck(L, url != NULL, 6, "a secret needs the origin of the request");
  fault = origin_read(url, origin_length, origin);
  if (fault != NULL) return fault;
  authority = strstr(origin, "://") + 3;
  if (!text_equals_ignoring_case(host, host_length, authority, strlen(authority))) {
    return "the host is not the origin's";
  }
  if (!credentials_belong_to(*secret, origin)) *secret = NULL;
  return NULL;
}

/* A header for the length of the body, and the blank line. */
#define ROOM_BEHIND 64

/* Lies at the beginning of its userdata; the bytes and room for more follow. */
struct ready_head {
  size_t size; /* of the head without its blank line; 0: closed */
};

static char *bytes_of(struct ready_head *head) { return (char *)(head + 1); }

/* ready_head(method, target, host, headers, secret?, origin?) -> userdata | nil, message */
static int http1_ready_head(lua_State *L) {
  struct writer writer = {NULL, 0, 0};
  const struct credentials *secret = NULL;
  struct ready_head *head;
  const char *fault;
  luaL_checktype(L, 4, LUA_TTABLE);
  if (!lua_isnoneornil(L, 5)) secret = luaL_checkudata(L, 5, HEADER_SECRET_CLASS);
  lua_settop(L, 6);
  fault = check_head(L, &secret);
  if (fault == NULL) fault = write_head(L, &writer, secret);
  if (fault != NULL) return compat_pushfault(L, fault);
  head = lua_newuserdatauv(L, sizeof *head + writer.size + ROOM_BEHIND, 0);
  head->size = 0;
  writer.out = bytes_of(head);
  writer.room = writer.size;
  writer.size = 0;
  fault = write_head(L, &writer, secret);
  /* A finalizer that ran since the size was computed may have changed the headers or closed the secret. */
  if (fault == NULL && writer.size != writer.room) fault = "the headers or the secret changed while the head was written";
  if (fault != NULL) {
    text_wipe(writer.out, writer.room);
    return compat_pushfault(L, fault);
  }
  head->size = writer.size - 2;
  compat_setclass(L, READY_HEAD_CLASS);
  return 1;
}

/* head:bytes(length?) -> string; true for a length that is not known: the body comes in chunks */
static int ready_head_bytes(lua_State *L) {
  struct ready_head *head = compat_checkclass(L, 1, READY_HEAD_CLASS);
  char *behind = bytes_of(head) + head->size;
  int length = 2;
  if (head->size == 0) return luaL_error(L, "attempt to use a closed head");
  if (lua_isnoneornil(L, 2)) {
    memcpy(behind, "\r\n", 2);
  } else if (lua_isboolean(L, 2)) {
    length = snprintf(behind, ROOM_BEHIND, "Transfer-Encoding: chunked\r\n\r\n");
  } else {
    const lua_Number size = luaL_checknumber(L, 2);
    luaL_argcheck(L, size >= 0 && size <= 9007199254740992.0, 2, "not a length");
    length = snprintf(behind, ROOM_BEHIND, "Content-Length: %lld\r\n\r\n", (long long)size);
  }
  lua_pushlstring(L, bytes_of(head), head->size + (size_t)length);
  return 1;
}

static int ready_head_close(lua_State *L) {
  struct ready_head *head = compat_checkclass(L, 1, READY_HEAD_CLASS);
  text_wipe(bytes_of(head), head->size);
  head->size = 0;
  return 0;
}

static int ready_head_tostring(lua_State *L) {
  struct ready_head *head = compat_checkclass(L, 1, READY_HEAD_CLASS);
  lua_pushfstring(L, "%s%s", READY_HEAD_CLASS, head->size == 0 ? " (closed)" : "");
  return 1;
}

static const luaL_Reg ready_head_class[] = {
    {"bytes", ready_head_bytes},
    {"__gc", ready_head_close},
    {"__close", ready_head_close},
    {"__tostring", ready_head_tostring},
    {NULL, NULL},
};

void http1_register(lua_State *L) {
  compat_newclass(L, READY_HEAD_CLASS, ready_head_class);
  lua_pushcfunction(L, http1_ready_head);
  lua_setfield(L, -2, "ready_head");
}
