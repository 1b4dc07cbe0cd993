/* Responses and failures as Lua tables: see response.h. */
#include "response.h"

#include <string.h>

#include "compat.h"
#include "failure.h"

static const char RESPONSE_CLASS[] = "waba.Response";

/* Where a response keeps its record until it is turned into fields. */
#define RECORD "record"

/* What libcurl knows of a transfer. In a record it stands behind the lines of the header. */
struct facts {
  curl_off_t connect, first_byte, total; /* microseconds since the start */
  curl_off_t bytes_sent, bytes_received; /* of the bodies */
  long version;                          /* 0: none was spoken */
  bool reused;
};

static void set_text(lua_State *L, const char *key, const char *value) {
  lua_pushstring(L, value);
  lua_setfield(L, -2, key);
}

static void set_size(lua_State *L, const char *key, curl_off_t size) {
  compat_pushinteger(L, (long long)size);
  lua_setfield(L, -2, key);
}

static void set_time(lua_State *L, const char *key, curl_off_t microseconds) {
  lua_pushnumber(L, (lua_Number)microseconds / 1e6);
  lua_setfield(L, -2, key);
}

static const char *protocol_name(long version) {
  switch (version) {
  case CURL_HTTP_VERSION_1_0: return "HTTP/1.0";
  case CURL_HTTP_VERSION_1_1: return "HTTP/1.1";
  case CURL_HTTP_VERSION_2_0: return "HTTP/2";
  default: return "HTTP/3";
  }
}

/* What there is to say of the connection; false when there was none. */
static bool read_connection(struct facts *facts, const struct transfer *transfer) {
  long connects = 0;
  facts->version = 0;
  if (transfer->easy == NULL || transfer->attempts == 0) return false;
  curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_VERSION, &facts->version);
  curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connects);
  /* A new connection was made for a repeat that was refused: it is the one before that counts. */
  facts->reused = connects == 0 || transfer->code == CURLE_SEND_FAIL_REWIND;
  return true;
}

/* [table] -> [table] */
static void set_connection(lua_State *L, const struct facts *facts) {
  lua_pushboolean(L, facts->reused);
  lua_setfield(L, -2, "reused");
  if (facts->version != 0) set_text(L, "protocol", protocol_name(facts->version));
}

static void read_facts(struct facts *facts, const struct transfer *transfer) {
  CURL *easy = transfer->easy;
  CURLINFO connected = transfer->head->plain ? CURLINFO_CONNECT_TIME_T : CURLINFO_APPCONNECT_TIME_T;
  memset(facts, 0, sizeof *facts);
  curl_easy_getinfo(easy, connected, &facts->connect);
  curl_easy_getinfo(easy, CURLINFO_STARTTRANSFER_TIME_T, &facts->first_byte);
  curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &facts->total);
  facts->bytes_sent = transfer_bytes_sent(transfer);
  facts->bytes_received = transfer->sink.received;
  read_connection(facts, transfer);
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/* Adds one header to the table on the top of the stack: the line between `name` and `end`, which has a
 * colon. A name that has come before gets all its values, joined. */
static void add_header(lua_State *L, char *name, char *end) {
  char *colon = memchr(name, ':', (size_t)(end - name)), *value = colon + 1, *c;
  while (value < end && is_blank(*value)) value++;
  while (end > value && is_blank(end[-1])) end--;
  for (c = name; c < colon; c++) {
    if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
  }
  *colon = *end = '\0';
  lua_pushstring(L, name);
  lua_pushvalue(L, -1);
  lua_rawget(L, -3); /* [headers name known] */
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_pushstring(L, value);
  } else {
    lua_pushfstring(L, "%s, %s", lua_tostring(L, -1), value);
    lua_remove(L, -2);
  }
  lua_rawset(L, -3);
}

/* Pushes the headers of the lines. */
static void push_headers(lua_State *L, const char *lines, size_t length) {
  char *const copy = lua_newuserdatauv(L, length + 1, 0), *const last = copy + length;
  char *line = copy;
  memcpy(copy, lines, length);
  lua_newtable(L);
  while (line < last) {
    char *end = memchr(line, '\n', (size_t)(last - line));
    add_header(L, line, end);
    line = end + 1;
  }
  lua_remove(L, -2);
}

/* [response] -> [response], with the fields that its record stands for */
static void set_fields(lua_State *L, const char *record, size_t length) {
  struct facts facts;
  memcpy(&facts, record + length - sizeof facts, sizeof facts);
  push_headers(L, record, length - sizeof facts);
  lua_setfield(L, -2, "headers");
  set_text(L, "sent", "yes");
  set_connection(L, &facts);
  set_size(L, "bytes_sent", facts.bytes_sent);
  set_size(L, "bytes_received", facts.bytes_received);
  lua_createtable(L, 0, 3);
  set_time(L, "connect", facts.connect);
  set_time(L, "first_byte", facts.first_byte);
  set_time(L, "total", facts.total);
  lua_setfield(L, -2, "timings");
}

/* [response key] -> [value]; the response is a plain table afterwards */
static int response_index(lua_State *L) {
  size_t length;
  const char *record;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  lua_pushliteral(L, RECORD);
  lua_rawget(L, 1); /* 3 */
  record = lua_tolstring(L, 3, &length);
  if (record == NULL) return 0;
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  lua_setmetatable(L, -2);
  set_fields(L, record, length);
  lua_pushnil(L);
  lua_setfield(L, 1, RECORD);
  lua_pushvalue(L, 2);
  lua_rawget(L, 1);
  return 1;
}

void response_push(lua_State *L, struct transfer *transfer) {
  struct sink *sink = &transfer->sink;
  struct facts facts;
  read_facts(&facts, transfer);
  if (!buffer_append(&sink->lines, (const char *)&facts, sizeof facts)) {
    luaL_error(L, "not enough memory");
  }
  lua_createtable(L, 0, 3);
  lua_pushlstring(L, sink->lines.bytes, sink->lines.length);
  lua_setfield(L, -2, RECORD);
  lua_pushinteger(L, sink->status);
  lua_setfield(L, -2, "status");
  lua_pushlstring(L, sink->body.length > 0 ? sink->body.bytes : "", sink->body.length);
  lua_setfield(L, -2, "body");
  compat_setclass(L, RESPONSE_CLASS);
}

void response_push_failure(lua_State *L, const struct transfer *transfer) {
  struct failure failure;
  struct facts facts;
  failure_describe(&failure, transfer);
  lua_createtable(L, 0, 8);
  set_text(L, "kind", failure.kind);
  set_text(L, "message", failure.message);
  if (failure.word != NULL) {
    set_text(L, "code", failure.word);
  } else {
    set_size(L, "code", failure.number);
  }
  set_text(L, "sent", failure_sent(transfer_sent(transfer)));
  if (transfer->sink.status != 0) set_size(L, "status", transfer->sink.status);
  set_size(L, "bytes_sent", transfer_bytes_sent(transfer));
  if (read_connection(&facts, transfer)) set_connection(L, &facts);
}

void response_push_forsaken(lua_State *L, enum transfer_sent sent) {
  lua_createtable(L, 0, 4);
  set_text(L, "kind", "cancelled");
  set_text(L, "message", "the engine was closed before the result was taken");
  set_text(L, "code", "cancelled");
  set_text(L, "sent", failure_sent(sent));
}

void response_register(lua_State *L) {
  lua_newtable(L);
  lua_pushcfunction(L, response_index);
  lua_setfield(L, -2, "__index");
  lua_rawsetp(L, LUA_REGISTRYINDEX, RESPONSE_CLASS);
}
