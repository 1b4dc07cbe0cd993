/* Creates Lua tables from responses and failures: see response.h. */
#include "response.h"
#include "compat.h"
#include "core.h"

static const char RESPONSE_CLASS[] = "waba.Response";
static const char RECORD_CLASS[] = "waba.ResponseRecord";

/* The name of a field of the response table. At first the table has only the status, the body and this field, whose
 * value is a userdata with the values of the other fields. The other fields are set when one of them is first read. */
#define RECORD "record"

/* The userdata in the field "record". The class of the userdata ensures that no other value is used as a
 * record. The header lines follow the struct in memory. */
struct record {
  struct facts facts;
  size_t length; /* the length of the lines */
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

/* Returns false if the transfer had no connection. */
static bool read_facts(struct facts *facts, const struct transfer *transfer) {
  const CURLINFO connected = transfer->head->plain ? CURLINFO_CONNECT_TIME_T : CURLINFO_APPCONNECT_TIME_T;
  CURL *easy = transfer->easy;
  long connects = 0;
  memset(facts, 0, sizeof *facts);
  facts->bytes_sent = transfer_bytes_sent(transfer);
  facts->bytes_received = transfer->sink.received;
  if (easy == NULL || transfer->attempts == 0) return false;
  curl_easy_getinfo(easy, connected, &facts->connect);
  curl_easy_getinfo(easy, CURLINFO_STARTTRANSFER_TIME_T, &facts->first_byte);
  curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &facts->total);
  curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &facts->version);
  curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
  /* If `before_request` refused a retry, the new connection was opened for this retry. The request itself used the
   * previous connection. */
  facts->reused = connects == 0 || transfer->code == CURLE_SEND_FAIL_REWIND;
  return true;
}

/* [table] -> [table] */
static void set_connection(lua_State *L, const struct facts *facts) {
  static const char *const names[] = {[CURL_HTTP_VERSION_1_0] = "HTTP/1.0", [CURL_HTTP_VERSION_1_1] = "HTTP/1.1",
                                      [CURL_HTTP_VERSION_2_0] = "HTTP/2"};
  lua_pushboolean(L, facts->reused);
  lua_setfield(L, -2, "reused");
  const char *name = facts->version > CURL_HTTP_VERSION_2_0 ? "HTTP/3" : names[facts->version];
  if (name != NULL) set_text(L, "protocol", name);
}

/* Sets the fields whose values are in the record: [response] -> [response] */
static void set_fields(lua_State *L, const struct record *record) {
  const struct facts *facts = &record->facts;
  const char *const lines = (const char *)(record + 1);
  response_head_push_headers(L, lines, lines + record->length, false);
  lua_setfield(L, -2, "headers");
  set_text(L, "sent", "yes");
  set_connection(L, facts);
  set_size(L, "bytes_sent", facts->bytes_sent);
  set_size(L, "bytes_received", facts->bytes_received);
  lua_createtable(L, 0, 3);
  set_time(L, "connect", facts->connect);
  set_time(L, "first_byte", facts->first_byte);
  set_time(L, "total", facts->total);
  lua_setfield(L, -2, "timings");
}

/* [response key] -> [value]. Sets all fields of the response, and removes its metatable. */
static int response_index(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  lua_pushliteral(L, RECORD);
  lua_rawget(L, 1); /* 3 */
  const struct record *record = compat_testclass(L, 3, RECORD_CLASS); /* NULL: the program has replaced the record */
  if (record == NULL) return 0;
  lua_pushvalue(L, 1);
  set_fields(L, record);
  lua_pushnil(L);
  lua_setfield(L, 1, RECORD);
  lua_pushnil(L);
  lua_setmetatable(L, 1);
  lua_pushvalue(L, 2);
  lua_rawget(L, 1);
  return 1;
}

void response_take(struct response *response, struct transfer *transfer) {
  response->succeeded = transfer_succeeded(transfer);
  response->status = transfer->sink.status;
  response->sent = transfer_sent(transfer);
  /* an error can have the status 2xx; the caller then needs the header Retry-After */
  if (!response->succeeded || response->status / 100 != 2 || transfer->sink.has_pause) response->is_brief = false;
  response->has_connection = !response->is_brief && read_facts(&response->facts, transfer);
  if (response->succeeded) {
    buffer_swap(&response->lines, &transfer->sink.lines);
    buffer_swap(&response->body, &transfer->sink.body);
  } else {
    char message[FAILURE_MESSAGE_SIZE];
    failure_describe(&response->failure, message, transfer);
    buffer_clear(&response->body);
    buffer_append(&response->body, message, strlen(message));
  }
}

void response_clear(struct response *response) {
  buffer_clear(&response->lines);
  buffer_clear(&response->body);
}

void response_free(struct response *response) {
  buffer_free(&response->lines);
  buffer_free(&response->body);
}

static void push_buffer(lua_State *L, const struct buffer *buffer) {
  lua_pushlstring(L, buffer->length > 0 ? buffer->bytes : "", buffer->length);
}

/* Adds the record: [response] -> [response] */
static void set_record(lua_State *L, const struct response *response) {
  const size_t length = response->lines.length;
  struct record *record = lua_newuserdatauv(L, sizeof *record + length, 0);
  record->facts = response->facts;
  record->length = length;
  if (length > 0) memcpy(record + 1, response->lines.bytes, length);
  compat_setclass(L, RECORD_CLASS);
  lua_setfield(L, -2, RECORD);
  compat_setclass(L, RESPONSE_CLASS);
}

static int push_success(lua_State *L, const struct response *response) {
  lua_createtable(L, 0, response->is_brief ? 2 : 3);
  lua_pushinteger(L, response->status);
  lua_setfield(L, -2, "status");
  push_buffer(L, &response->body);
  lua_setfield(L, -2, "body");
  if (!response->is_brief) set_record(L, response);
  return 1;
}

/* [] -> [nil failure] */
static int push_failure(lua_State *L, const struct response *response) {
  static const char *const sent[] = {[SENT_NO] = "no", [SENT_MAYBE] = "maybe", [SENT_YES] = "yes"};
  const struct failure *failure = &response->failure;
  lua_pushnil(L);
  lua_createtable(L, 0, 8);
  set_text(L, "kind", failure->kind);
  if (response->body.length > 0) push_buffer(L, &response->body);
  else lua_pushliteral(L, "not enough memory");
  lua_setfield(L, -2, "message");
  if (failure->code != NULL) set_text(L, "code", failure->code);
  else set_size(L, "code", (curl_off_t)failure->curl_code);
  if (failure->path != NULL) set_text(L, "path", failure->path);
  set_text(L, "sent", sent[response->sent]);
  if (response->status != 0) set_size(L, "status", response->status);
  set_size(L, "bytes_sent", response->facts.bytes_sent);
  if (response->has_connection) set_connection(L, &response->facts);
  return 2;
}

int response_push(lua_State *L, const struct response *response) {
  return response->succeeded ? push_success(L, response) : push_failure(L, response);
}

void response_register(lua_State *L) {
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, RECORD_CLASS);
  lua_newtable(L);
  lua_pushcfunction(L, response_index);
  lua_setfield(L, -2, "__index");
  lua_rawsetp(L, LUA_REGISTRYINDEX, RESPONSE_CLASS);
}
