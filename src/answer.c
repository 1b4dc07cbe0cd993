/* Heads of HTTP/1.1 answers, for transports that own their sockets: see answer.h. */
#include "answer.h"

#include <stdbool.h>
#include <string.h>

#include "compat.h"
#include "text.h"

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/* One header among the lines that were received. */
struct field {
  const char *name, *value;
  size_t name_length, value_length;
};

/* Reads the header at `at`. Where the next one begins, or NULL when it is malformed. */
static const char *read_field(const char *at, const char *end, struct field *field) {
  const char *stop;
  field->name = at;
  for (; at < end && *at != ':'; at++) {
    if ((unsigned char)*at <= ' ') return NULL;
  }
  if (at == field->name || at == end) return NULL;
  field->name_length = (size_t)(at - field->name);
  for (at++; at < end && is_blank(*at); at++) continue;
  for (stop = at; stop < end && *stop != '\r' && *stop != '\n'; stop++) continue;
  if (end - stop < 2 || stop[0] != '\r' || stop[1] != '\n') return NULL;
  end = stop + 2;
  while (stop > at && is_blank(stop[-1])) stop--;
  field->value = at;
  field->value_length = (size_t)(stop - at);
  return end;
}

/* Adds a header to the table on the top of the stack, a repeated one to what is there. `name` has room
 * for its name. */
static void add_field(lua_State *L, const struct field *field, char *name) {
  size_t i;
  for (i = 0; i < field->name_length; i++) {
    const char c = field->name[i];
    name[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  }
  lua_pushlstring(L, name, field->name_length);
  lua_pushvalue(L, -1);
  lua_rawget(L, -3); /* [headers name known] */
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_pushlstring(L, field->value, field->value_length);
  } else {
    lua_pushliteral(L, ", ");
    lua_pushlstring(L, field->value, field->value_length);
    lua_concat(L, 3);
  }
  lua_rawset(L, -3);
}

/* headers(bytes, first, last) -> table | nil: of the lines between two positions */
static int answer_headers(lua_State *L) {
  char small[256], *name = small;
  size_t length;
  const char *const bytes = luaL_checklstring(L, 1, &length);
  const lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);
  const char *at, *end;
  luaL_argcheck(L, first >= 1 && first <= last + 1 && last <= (lua_Integer)length, 2,
                "out of range");
  at = bytes + first - 1;
  end = bytes + last;
  lua_settop(L, 3);
  if ((size_t)(end - at) > sizeof small) name = lua_newuserdatauv(L, (size_t)(end - at), 0);
  lua_createtable(L, 0, 8);
  while (at < end) {
    struct field field;
    at = read_field(at, end, &field);
    if (at == NULL) return 0;
    add_field(L, &field, name);
  }
  return 1;
}

/* What the head of an answer says of itself. */
struct answer_head {
  int status;
  int minor;     /* of its version */
  double size;   /* of the body; negative: not said */
  bool is_sized; /* as far as it is said, it can be read */
  bool is_chunked;
  bool closes; /* the connection ends with it */
};

/* The largest size that is read: larger ones are no whole numbers in Lua. */
#define SIZE_DIGITS_MAX 15

/* Reads the line "HTTP/1.1 201 Created". Where the next one begins, or NULL: then `*is_begun` says whether it
 * may be the beginning of one. */
static const char *read_status_line(const char *at, const char *end, struct answer_head *head,
                                    bool *is_begun) {
  static const char version[] = "HTTP/1.";
  const size_t known = sizeof version - 1, length = (size_t)(end - at);
  int digits;
  *is_begun = false;
  if (memcmp(at, version, length < known ? length : known) != 0) return NULL;
  *is_begun = length <= known;
  if (*is_begun) return NULL;
  at += known;
  if (*at < '0' || *at > '9') return NULL;
  head->minor = *at++ - '0';
  if (at < end && *at != ' ') return NULL;
  while (at < end && *at == ' ') at++;
  head->status = 0;
  for (digits = 0; digits < 3 && at < end; digits++, at++) {
    if (*at < '0' || *at > '9') return NULL;
    head->status = 10 * head->status + (*at - '0');
  }
  while (at < end && *at != '\r' && *at != '\n') at++;
  *is_begun = at == end || (*at == '\r' && at + 1 == end);
  if (*is_begun) return NULL;
  return at[0] == '\r' && at[1] == '\n' ? at + 2 : NULL;
}

/* Whether the list of tokens that a header is has one of them. */
static bool has_token(const struct field *field, const char *token) {
  const char *at = field->value, *const end = at + field->value_length;
  while (at < end) {
    const char *first, *last;
    while (at < end && (is_blank(*at) || *at == ',')) at++;
    for (first = at; at < end && *at != ','; at++) continue;
    for (last = at; last > first && is_blank(last[-1]); last--) continue;
    if (text_equals_ignoring_case(first, (size_t)(last - first), token, strlen(token))) return true;
  }
  return false;
}

static void read_size(struct answer_head *head, const struct field *field) {
  const size_t length = field->value_length;
  double size = 0;
  size_t i;
  if (head->size >= 0 || length == 0 || length > SIZE_DIGITS_MAX) head->is_sized = false;
  for (i = 0; i < length; i++) {
    const char c = field->value[i];
    if (c < '0' || c > '9') head->is_sized = false;
    size = 10 * size + (c - '0');
  }
  head->size = head->is_sized ? size : 0;
}

/* Reads the headers. False when one is malformed. */
static bool read_fields(const char *at, const char *end, struct answer_head *head) {
  while (at < end) {
    struct field field;
    at = read_field(at, end, &field);
    if (at == NULL) return false;
    if (text_equals_ignoring_case(field.name, field.name_length, "content-length", 14)) {
      read_size(head, &field);
    } else if (text_equals_ignoring_case(field.name, field.name_length, "transfer-encoding", 17)) {
      head->is_chunked = head->is_chunked || has_token(&field, "chunked");
    } else if (text_equals_ignoring_case(field.name, field.name_length, "connection", 10)) {
      head->closes = head->closes || has_token(&field, "close");
    }
  }
  return true;
}

/* The first blank line at or behind a position: where it begins, or NULL. */
static const char *find_blank_line(const char *at, const char *end) {
  while (end - at >= 4) {
    at = memchr(at, '\r', (size_t)(end - at - 3));
    if (at == NULL) return NULL;
    if (memcmp(at, "\r\n\r\n", 4) == 0) return at;
    at++;
  }
  return NULL;
}

/* answer_head(bytes, from) -> see lua/waba/meta.lua */
static int answer_read_head(lua_State *L) {
  struct answer_head head = {0, 0, -1, true, false, false};
  size_t length;
  const char *const bytes = luaL_checklstring(L, 1, &length), *const end = bytes + length;
  const lua_Integer from = luaL_checkinteger(L, 2);
  bool is_begun;
  const char *line = read_status_line(bytes, end, &head, &is_begun), *blank;
  luaL_argcheck(L, from >= 1 && from <= (lua_Integer)length + 1, 2, "out of range");
  if (line == NULL) {
    lua_pushboolean(L, 0);
    return is_begun ? 1 : 0;
  }
  lua_pushinteger(L, head.status);
  /* the blank line may begin with the end of the status line */
  blank = find_blank_line(bytes + from - 1 > line - 2 ? bytes + from - 1 : line - 2, end);
  if (blank == NULL) return 1;
  lua_pushinteger(L, (lua_Integer)(blank - bytes) + 5);
  if (!read_fields(line, blank + 2, &head)) return 2;
  lua_pushinteger(L, head.minor);
  if (head.size < 0) {
    lua_pushnil(L);
  } else if (head.is_sized) {
    compat_pushinteger(L, (long long)head.size);
  } else {
    lua_pushboolean(L, 0);
  }
  lua_pushboolean(L, head.is_chunked);
  lua_pushboolean(L, head.closes);
  return 6;
}

void answer_register(lua_State *L) {
  lua_pushcfunction(L, answer_headers);
  lua_setfield(L, -2, "headers");
  lua_pushcfunction(L, answer_read_head);
  lua_setfield(L, -2, "answer_head");
}
