/* Reads the heads of HTTP/1.1 responses, for both transports. */
#include "compat.h"
#include "core.h"
#include "text.h"

/* A header; the pointers point into its line. */
struct field {
  const char *name, *value;
  size_t name_length, value_length;
};

/* Reads the header line at `at`. Returns the start of the next line. Returns NULL if the line has no name, no colon or
 * no CR LF. If `is_strict` is true, also returns NULL for a name with white space or a control character, and for a
 * value with a CR. */
static const char *read_field(const char *at, const char *end, bool is_strict, struct field *field) {
  const char *const line_end = memchr(at, '\n', (size_t)(end - at));
  if (line_end == NULL || line_end == at || line_end[-1] != '\r') return NULL;
  const char *stop = line_end - 1;
  const char *const colon = memchr(at, ':', (size_t)(stop - at));
  if (colon == NULL || colon == at) return NULL;
  field->name = at;
  field->name_length = (size_t)(colon - at);
  for (at = colon + 1; at < stop && text_is_blank(*at); at++) continue;
  while (stop > at && text_is_blank(stop[-1])) stop--;
  field->value = at;
  field->value_length = (size_t)(stop - at);
  if (is_strict && memchr(field->value, '\r', field->value_length) != NULL) return NULL;
  for (size_t i = 0; is_strict && i < field->name_length; i++) {
    if ((unsigned char)field->name[i] <= ' ') return NULL;
  }
  return line_end + 1;
}

/* Adds the field to the table of headers: [headers] -> [headers] */
static void add_field(lua_State *L, const struct field *field) {
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  for (size_t i = 0; i < field->name_length; i++) luaL_addchar(&buffer, text_lower(field->name[i]));
  luaL_pushresult(&buffer);
  lua_pushvalue(L, -1);
  lua_rawget(L, -3); /* [headers name previous] */
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

bool response_head_push_headers(lua_State *L, const char *at, const char *end, bool is_strict) {
  struct field field;
  lua_createtable(L, 0, 8);
  while (at < end) {
    at = read_field(at, end, is_strict, &field);
    if (at == NULL) return false;
    add_field(L, &field);
  }
  return true;
}

int headers_function(lua_State *L) {
  size_t length;
  const char *const bytes = luaL_checklstring(L, 1, &length);
  const lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);
  luaL_argcheck(L, first >= 1 && first <= last + 1 && last <= (lua_Integer)length, 2,
                "first and last must be positions within the bytes");
  return response_head_push_headers(L, bytes + first - 1, bytes + last, true) ? 1 : 0;
}

struct response_head {
  int status;
  int minor;     /* the minor version of HTTP */
  double size;   /* the length of the body in bytes; negative without Content-Length */
  bool is_sized; /* false: the header Content-Length is malformed or repeated */
  bool is_chunked;
  bool closes; /* true: the server closes the connection after the response */
};

/* Lua can't represent all sizes with more digits exactly. */
#define SIZE_DIGITS_MAX 15

/* Reads the status line, such as "HTTP/1.1 201 Created". Returns the start of the next line, or NULL. `*is_incomplete`
 * is true if the bytes can be the beginning of a status line. */
static const char *read_status_line(const char *at, const char *end, struct response_head *head, bool *is_incomplete) {
  static const char version[] = "HTTP/1.";
  const size_t known = sizeof version - 1, length = (size_t)(end - at);
  const bool is_version = memcmp(at, version, length < known ? length : known) == 0;
  *is_incomplete = is_version && length <= known;
  if (!is_version || *is_incomplete) return NULL;
  at += known;
  if (!text_is_digit(*at)) return NULL;
  head->minor = *at++ - '0';
  if (at < end && *at != ' ') return NULL;
  while (at < end && *at == ' ') at++;
  for (int digits = 0; digits < 3 && at < end; digits++, at++) {
    if (!text_is_digit(*at)) return NULL;
    head->status = 10 * head->status + (*at - '0');
  }
  while (at < end && *at != '\r' && *at != '\n') at++;
  *is_incomplete = at == end || (*at == '\r' && at + 1 == end);
  if (*is_incomplete) return NULL;
  return at[0] == '\r' && at[1] == '\n' ? at + 2 : NULL;
}

/* Returns whether the token is in the value, which is a list separated by commas. */
static bool has_token(const struct field *field, const char *token) {
  const char *at = field->value, *const end = at + field->value_length;
  while (at < end) {
    const char *first, *last;
    while (at < end && (text_is_blank(*at) || *at == ',')) at++;
    for (first = at; at < end && *at != ','; at++) continue;
    for (last = at; last > first && text_is_blank(last[-1]); last--) continue;
    if (text_is(first, (size_t)(last - first), token)) return true;
  }
  return false;
}

static void read_size(struct response_head *head, const struct field *field) {
  const size_t length = field->value_length;
  double size = 0;
  if (head->size >= 0 || length == 0 || length > SIZE_DIGITS_MAX) head->is_sized = false;
  for (size_t i = 0; i < length; i++) {
    if (!text_is_digit(field->value[i])) head->is_sized = false;
    size = 10 * size + (field->value[i] - '0');
  }
  head->size = head->is_sized ? size : 0;
}

/* Returns false if a header is malformed. */
static bool read_fields(const char *at, const char *end, struct response_head *head) {
  struct field field;
  while (at < end) {
    at = read_field(at, end, true, &field);
    if (at == NULL) return false;
    const char *const name = field.name;
    if (text_is(name, field.name_length, "content-length")) read_size(head, &field);
    if (text_is(name, field.name_length, "transfer-encoding") && has_token(&field, "chunked")) head->is_chunked = true;
    if (text_is(name, field.name_length, "connection") && has_token(&field, "close")) head->closes = true;
  }
  return true;
}

/* Returns the first CR LF CR LF at or after `at`, or NULL. */
static const char *find_blank_line(const char *at, const char *end) {
  while (end - at >= 4) {
    at = memchr(at, '\r', (size_t)(end - at - 3));
    if (at == NULL) return NULL;
    if (memcmp(at, "\r\n\r\n", 4) == 0) return at;
    at++;
  }
  return NULL;
}

int response_head_function(lua_State *L) {
  struct response_head head = {0, 0, -1, true, false, false};
  size_t length;
  const char *const bytes = luaL_checklstring(L, 1, &length), *const end = bytes + length;
  const lua_Integer from = luaL_checkinteger(L, 2);
  bool is_incomplete;
  const char *const line = read_status_line(bytes, end, &head, &is_incomplete);
  luaL_argcheck(L, from >= 1 && from <= (lua_Integer)length + 1, 2, "must be a position within the bytes");
  if (line == NULL) {
    lua_pushboolean(L, 0);
    return is_incomplete ? 1 : 0;
  }
  lua_pushinteger(L, head.status);
  /* the CR LF of the status line can be the beginning of the blank line */
  const char *const blank = find_blank_line(bytes + from - 1 > line - 2 ? bytes + from - 1 : line - 2, end);
  if (blank == NULL) return 1;
  lua_pushinteger(L, (lua_Integer)(blank - bytes) + 5);
  if (!read_fields(line, blank + 2, &head)) return 2;
  lua_pushinteger(L, head.minor);
  if (head.size < 0) lua_pushnil(L);
  else if (head.is_sized) compat_pushinteger(L, (long long)head.size);
  else lua_pushboolean(L, 0);
  lua_pushboolean(L, head.is_chunked);
  lua_pushboolean(L, head.closes);
  return 6;
}
