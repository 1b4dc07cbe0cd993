/* The pure C parts of waba.curl as functions of Lua, for the specs of their headers: spec/support/parts.lua builds this
 * file. */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "compat.h"
#include "core.h"
#include "transfer.h"
#include "system.h"
#include "sink.h"
#include "source.h"
#include "http2.h"
#include "text.h"
#include "watch.h"

int luaopen_parts(lua_State *L);
int failing_calls_fail(lua_State *L); /* spec/support/failing_calls.c */

static int results(lua_State *L, bool result) {
  lua_pushboolean(L, result);
  return 1;
}

/* Streams -------------------------------------------------------------------------------------- */

static int new_stream(lua_State *L) {
  memset(lua_newuserdatauv(L, sizeof(struct http2_stream), 0), 0, sizeof(struct http2_stream));
  return 1;
}

static int new_count(lua_State *L) {
  memset(lua_newuserdatauv(L, sizeof(struct http2_count), 0), 0, sizeof(struct http2_count));
  return 1;
}

static int begin(lua_State *L) {
  return results(L, http2_begin(lua_touserdata(L, 1), lua_touserdata(L, 2), luaL_checkstring(L, 3), (int)luaL_checkinteger(L, 4),
                                 luaL_checkstring(L, 5), (int)luaL_checkinteger(L, 6)));
}

static int open_stream(lua_State *L) {
  http2_open(lua_touserdata(L, 1), lua_touserdata(L, 2));
  return 0;
}

static int forget(lua_State *L) {
  http2_forget(lua_touserdata(L, 1));
  return 0;
}

/* [stream] -> [id refused] */
static int http2_state(lua_State *L) {
  const struct http2_stream *stream = lua_touserdata(L, 1);
  lua_pushinteger(L, (lua_Integer)stream->id);
  lua_pushboolean(L, stream->refused);
  return 2;
}

/* [stream text] -> [last], or nothing if the text reports no GOAWAY. The text has no NUL after its end. */
static int read_text(lua_State *L) {
  size_t size;
  const char *text = luaL_checklstring(L, 2, &size);
  char copy[256];
  unsigned long last = 0;
  memset(copy, '9', sizeof copy);
  memcpy(copy, text, size);
  if (!http2_read(lua_touserdata(L, 1), copy, size, &last)) return 0;
  lua_pushinteger(L, (lua_Integer)last);
  return 1;
}

static int is_above(lua_State *L) {
  return results(L, http2_is_above(lua_touserdata(L, 1), lua_touserdata(L, 2), (unsigned long)luaL_checkinteger(L, 3)));
}

/* Watches -------------------------------------------------------------------------------------- */

static int new_watch(lua_State *L) {
  lua_pushlightuserdata(L, watch_new());
  return 1;
}

static int free_watch(lua_State *L) {
  watch_free(lua_touserdata(L, 1));
  return 0;
}

static int want(lua_State *L) {
  return results(L, watch_want(lua_touserdata(L, 1), (int)luaL_checkinteger(L, 2), (int)luaL_checkinteger(L, 3)));
}

static int opened(lua_State *L) {
  return results(L, watch_opened(lua_touserdata(L, 1), (int)luaL_checkinteger(L, 2)));
}

static int closed(lua_State *L) {
  watch_closed(lua_touserdata(L, 1), (int)luaL_checkinteger(L, 2));
  return 0;
}

static int mute(lua_State *L) {
  watch_mute(lua_touserdata(L, 1), (int)luaL_checkinteger(L, 2));
  return 0;
}

static int unmute(lua_State *L) {
  watch_unmute(lua_touserdata(L, 1));
  return 0;
}

static int is_muting(lua_State *L) { return results(L, watch_is_muting(lua_touserdata(L, 1))); }

static int flush(lua_State *L) {
  watch_flush(lua_touserdata(L, 1));
  return 0;
}

static int wake(lua_State *L) {
  watch_wake(lua_touserdata(L, 1));
  return 0;
}

static int wait_for(lua_State *L) {
  watch_wait(lua_touserdata(L, 1), (int)luaL_checkinteger(L, 2));
  return 0;
}

/* [watch watch milliseconds] */
static int wait_any(lua_State *L) {
  struct watch *watches[] = {lua_touserdata(L, 1), lua_touserdata(L, 2)};
  return results(L, watch_wait_any(watches, 2, (int)luaL_checkinteger(L, 3)));
}

/* [watch] -> [socket events], or nothing if no other socket is ready */
static int next_ready(lua_State *L) {
  int socket, events;
  if (!watch_next(lua_touserdata(L, 1), &socket, &events)) return 0;
  lua_pushinteger(L, socket);
  lua_pushinteger(L, events);
  return 2;
}

static int drained(lua_State *L) { return results(L, watch_drained(lua_touserdata(L, 1))); }

static int descriptor(lua_State *L) {
  lua_pushinteger(L, watch_descriptor(lua_touserdata(L, 1)));
  return 1;
}

static int abandon(lua_State *L) {
  watch_abandon(lua_touserdata(L, 1));
  return 0;
}

/* Sockets -------------------------------------------------------------------------------------- */

/* [] -> [socket peer] */
static int pair(lua_State *L) {
  int ends[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return luaL_error(L, "%s", strerror(errno));
  lua_pushinteger(L, ends[0]);
  lua_pushinteger(L, ends[1]);
  return 2;
}

static int write_byte(lua_State *L) {
  return results(L, send((int)luaL_checkinteger(L, 1), "x", 1, 0) == 1);
}

static int read_byte(lua_State *L) {
  char byte;
  return results(L, recv((int)luaL_checkinteger(L, 1), &byte, 1, MSG_DONTWAIT) == 1);
}

static int close_socket(lua_State *L) { return results(L, close((int)luaL_checkinteger(L, 1)) == 0); }

static int is_open(lua_State *L) { return results(L, fcntl((int)luaL_checkinteger(L, 1), F_GETFD) >= 0); }

static int is_readable(lua_State *L) {
  struct pollfd polled = {(int)luaL_checkinteger(L, 1), POLLIN, 0};
  return results(L, poll(&polled, 1, 0) == 1);
}

/* [socket number] */
static int duplicate(lua_State *L) {
  return results(L, dup2((int)luaL_checkinteger(L, 1), (int)luaL_checkinteger(L, 2)) >= 0);
}

/* Sinks and sources ---------------------------------------------------------------------------- */

static int new_sink(lua_State *L) {
  sink_init(lua_newuserdatauv(L, sizeof(struct sink), 0));
  return 1;
}

/* [sink is-stream max-body max-size] */
static int open_sink(lua_State *L) {
  sink_open(lua_touserdata(L, 1), lua_toboolean(L, 2) ? SINK_STREAM : SINK_MEMORY, (size_t)luaL_checkinteger(L, 3),
            (curl_off_t)luaL_checkinteger(L, 4));
  return 0;
}

/* [sink path max-body max-size] -> [opened errno] */
static int open_file(lua_State *L) {
  lua_pushboolean(L, sink_open_file(lua_touserdata(L, 1), luaL_checkstring(L, 2), (size_t)luaL_checkinteger(L, 3),
                                    (curl_off_t)luaL_checkinteger(L, 4)));
  lua_pushinteger(L, errno);
  return 2;
}

/* [sink bytes] -> [is_continued]: false if libcurl would abort the transfer */
static int head(lua_State *L) {
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  return results(L, sink_head((char *)bytes, 1, length, lua_touserdata(L, 1)) == length);
}

/* [sink bytes] -> [true]; or [false] if libcurl would abort the transfer; or ["pause"] if libcurl would pause it */
static int body(lua_State *L) {
  size_t length, result;
  const char *bytes = luaL_checklstring(L, 2, &length);
  result = sink_body((char *)bytes, 1, length, lua_touserdata(L, 1));
  if (result != CURL_WRITEFUNC_PAUSE) return results(L, result == length);
  lua_pushliteral(L, "pause");
  return 1;
}

/* [sink] -> [{ status, lines, body, .. }] */
static int sink_state(lua_State *L) {
  static const char *const errors[] = {NULL, "too large", "unwritable", "no memory"};
  const struct sink *sink = lua_touserdata(L, 1);
  lua_newtable(L);
  lua_pushinteger(L, sink->status);
  lua_setfield(L, -2, "status");
  lua_pushlstring(L, sink->lines.length > 0 ? sink->lines.bytes : "", sink->lines.length);
  lua_setfield(L, -2, "lines");
  lua_pushlstring(L, sink->body.length > 0 ? sink->body.bytes : "", sink->body.length);
  lua_setfield(L, -2, "body");
  lua_pushinteger(L, (lua_Integer)sink->received);
  lua_setfield(L, -2, "received");
  lua_pushstring(L, errors[sink->error]);
  lua_setfield(L, -2, "error");
  lua_pushinteger(L, sink->system_error);
  lua_setfield(L, -2, "system_error");
  lua_pushboolean(L, sink->is_http1);
  lua_setfield(L, -2, "is_http1");
  lua_pushboolean(L, sink->head_complete);
  lua_setfield(L, -2, "head_complete");
  lua_pushboolean(L, sink->is_framed);
  lua_setfield(L, -2, "is_framed");
  lua_pushboolean(L, sink->paused);
  lua_setfield(L, -2, "paused");
  lua_pushboolean(L, sink_diverts(sink));
  lua_setfield(L, -2, "diverts");
  return 1;
}

static int complete(lua_State *L) { return results(L, sink_complete(lua_touserdata(L, 1))); }

static int disown(lua_State *L) {
  sink_disown(lua_touserdata(L, 1));
  return 0;
}

static int close_sink(lua_State *L) {
  sink_close(lua_touserdata(L, 1));
  return 0;
}

static int free_sink(lua_State *L) {
  sink_free(lua_touserdata(L, 1));
  return 0;
}

static int new_source(lua_State *L) {
  source_init(lua_newuserdatauv(L, sizeof(struct source), 0));
  return 1;
}

/* [source bytes]; the caller keeps the bytes */
static int open_bytes(lua_State *L) {
  size_t size;
  const char *bytes = luaL_checklstring(L, 2, &size);
  source_open_bytes(lua_touserdata(L, 1), bytes, size);
  return 0;
}

/* [source path] -> [opened errno] */
static int open_upload(lua_State *L) {
  lua_pushboolean(L, source_open_file(lua_touserdata(L, 1), luaL_checkstring(L, 2)));
  lua_pushinteger(L, errno);
  return 2;
}

static int open_fed(lua_State *L) {
  source_open_fed(lua_touserdata(L, 1), (curl_off_t)luaL_checkinteger(L, 2));
  return 0;
}

/* [source bytes?] */
static int feed(lua_State *L) {
  size_t length = 0;
  const char *bytes = luaL_optlstring(L, 2, NULL, &length);
  return results(L, source_feed(lua_touserdata(L, 1), bytes, length));
}

/* [source size] -> [bytes], ["pause" true] or ["abort" true] */
static int read_source(lua_State *L) {
  char bytes[256];
  size_t size = (size_t)luaL_checkinteger(L, 2), count = source_read(bytes, 1, size, lua_touserdata(L, 1));
  if (count == CURL_READFUNC_PAUSE || count == CURL_READFUNC_ABORT) {
    lua_pushstring(L, count == CURL_READFUNC_PAUSE ? "pause" : "abort");
    lua_pushboolean(L, 1);
    return 2;
  }
  lua_pushlstring(L, bytes, count);
  return 1;
}

/* [source offset is-set] */
static int seek(lua_State *L) {
  return results(L, source_seek(lua_touserdata(L, 1), (curl_off_t)luaL_checkinteger(L, 2), lua_toboolean(L, 3) ? SEEK_SET : SEEK_CUR) ==
                        CURL_SEEKFUNC_OK);
}

static int allow_rewind(lua_State *L) {
  ((struct source *)lua_touserdata(L, 1))->rewindable = true;
  return 0;
}

/* [source] -> [{ complete, position, error, .. }] */
static int source_state(lua_State *L) {
  static const char *const errors[] = {NULL, "shrunk", "unreadable", "short", "long"};
  const struct source *source = lua_touserdata(L, 1);
  lua_newtable(L);
  lua_pushboolean(L, source->complete);
  lua_setfield(L, -2, "complete");
  lua_pushboolean(L, source->paused);
  lua_setfield(L, -2, "paused");
  lua_pushinteger(L, (lua_Integer)source->position);
  lua_setfield(L, -2, "position");
  lua_pushinteger(L, (lua_Integer)source->size);
  lua_setfield(L, -2, "size");
  lua_pushstring(L, errors[source->error]);
  lua_setfield(L, -2, "error");
  lua_pushinteger(L, source->system_error);
  lua_setfield(L, -2, "system_error");
  lua_pushboolean(L, source_has_input(source));
  lua_setfield(L, -2, "has_input");
  return 1;
}

static int close_source(lua_State *L) {
  source_close(lua_touserdata(L, 1));
  return 0;
}

static int free_source(lua_State *L) {
  source_free(lua_touserdata(L, 1));
  return 0;
}

/* Failures ------------------------------------------------------------------------------------- */

static lua_Integer field(lua_State *L, const char *name) {
  lua_Integer number;
  lua_getfield(L, 1, name);
  number = lua_isboolean(L, -1) ? lua_toboolean(L, -1) : lua_tointeger(L, -1);
  lua_pop(L, 1);
  return number;
}

static const char *text_field(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  return lua_tostring(L, -1); /* the string stays valid, because it stays on the stack */
}

/* [{ code, end, attempts, error, .. }] -> [kind code message path]. The fields are those of a transfer without a handle. */
static int failure(lua_State *L) {
  struct transfer transfer;
  struct failure failure;
  char message[FAILURE_MESSAGE_SIZE];
  const char *error = text_field(L, "error");
  memset(&transfer, 0, sizeof transfer);
  transfer.code = (CURLcode)field(L, "code");
  transfer.end = (enum transfer_end)field(L, "ending");
  transfer.attempts = (unsigned)field(L, "attempts");
  transfer.stream.refused = field(L, "refused") != 0;
  transfer.socket_error = (int)field(L, "socket_error");
  transfer.source.error = (enum source_error)field(L, "source_error");
  transfer.source.system_error = (int)field(L, "system_error");
  transfer.source.size = 5;
  transfer.source.path = (char *)"/upload";
  transfer.sink.error = (enum sink_error)field(L, "sink_error");
  transfer.sink.system_error = (int)field(L, "system_error");
  transfer.sink.kind = SINK_FILE;
  transfer.sink.status = (int)field(L, "status");
  transfer.sink.max_body = 10;
  transfer.sink.max_size = 20;
  transfer.sink.path = (char *)"/target";
  snprintf(transfer.error, sizeof transfer.error, "%s", error != NULL ? error : "");
  failure_describe(&failure, message, &transfer);
  lua_pushstring(L, failure.kind);
  if (failure.code != NULL) {
    lua_pushstring(L, failure.code);
  } else {
    lua_pushinteger(L, failure.curl_code);
  }
  lua_pushstring(L, message);
  lua_pushstring(L, failure.path);
  return 4;
}

/* Others --------------------------------------------------------------------------------------- */

#if defined(getrandom)
ssize_t getrandom(void *bytes, size_t size, unsigned flags);

/* Replaces getrandom by a function that always fails, as on a system without it. */
ssize_t getrandom(void *bytes, size_t size, unsigned flags) {
  (void)bytes, (void)size, (void)flags;
  errno = ENOSYS;
  return -1;
}
#endif

/* [] -> [bytes], or nothing if the system has no random numbers */
static int random_bytes(lua_State *L) {
  uint64_t bits = 0;
  if (!system_random(&bits)) return 0;
  lua_pushlstring(L, (const char *)&bits, sizeof bits);
  return 1;
}

/* [bytes length] -> [bytes]. Wipes the first `length` bytes. */
static int wipe(lua_State *L) {
  char bytes[64];
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  memcpy(bytes, text, length);
  text_wipe(bytes, (size_t)luaL_checkinteger(L, 2));
  lua_pushlstring(L, bytes, length);
  return 1;
}

static const luaL_Reg functions[] = {
    {"stream", new_stream}, {"http2_count", new_count}, {"http2_begin", begin}, {"http2_open", open_stream},
    {"http2_forget", forget}, {"http2_state", http2_state}, {"http2_read", read_text}, {"http2_is_above", is_above},
    {"watch", new_watch}, {"watch_free", free_watch}, {"watch_want", want}, {"watch_opened", opened},
    {"watch_closed", closed}, {"watch_mute", mute}, {"watch_unmute", unmute}, {"watch_is_muting", is_muting},
    {"watch_flush", flush}, {"watch_wake", wake}, {"watch_wait", wait_for}, {"watch_wait_any", wait_any},
    {"watch_next", next_ready}, {"watch_drained", drained}, {"watch_descriptor", descriptor}, {"watch_abandon", abandon},
    {"pair", pair}, {"write", write_byte}, {"read", read_byte}, {"close", close_socket}, {"is_open", is_open},
    {"is_readable", is_readable}, {"duplicate", duplicate},
    {"sink", new_sink}, {"sink_open", open_sink}, {"sink_open_file", open_file}, {"sink_head", head}, {"sink_body", body},
    {"sink_state", sink_state}, {"sink_complete", complete}, {"sink_disown", disown}, {"sink_close", close_sink},
    {"sink_free", free_sink},
    {"source", new_source}, {"source_open_bytes", open_bytes}, {"source_open_file", open_upload}, {"source_open_fed", open_fed},
    {"source_feed", feed}, {"source_read", read_source}, {"source_seek", seek}, {"source_allow_rewind", allow_rewind},
    {"source_state", source_state}, {"source_close", close_source}, {"source_free", free_source},
    {"failure", failure}, {"random", random_bytes}, {"hmac_sha256", sha256_hmac_function}, {"wipe", wipe},
    {"fail", failing_calls_fail},
    {NULL, NULL},
};

__attribute__((visibility("default"))) int luaopen_parts(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
