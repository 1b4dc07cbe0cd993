/* Reads a few strings from a JSON text without decoding the rest of the text. The byte after the text is NUL, which no
 * valid JSON contains. */
#include "json_parts.h"

#define LEVELS 8

struct reader {
  const char *at, *end;
  const struct json_pick *pick;
  struct json_piece *pieces;
  unsigned seen; /* one bit for each path; 1: the root of the path was read */
};

struct place {
  int depth;
  const struct json_piece *root; /* the root whose array or first object is being read; NULL for any other value */
};

static bool read_value(struct reader *reader, int depth);
static bool read_object(struct reader *reader, struct place place);

/* Skips white space. Returns the next character; NUL at the end of the text. */
static char peek(struct reader *reader) {
  while (json_is_space(*reader->at)) reader->at++;
  return *reader->at;
}

static bool take(struct reader *reader, char c) {
  if (peek(reader) != c) return false;
  reader->at++;
  return true;
}

static bool read_string(struct reader *reader, struct json_piece *piece) {
  static const bool special[256] = {
      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
      ['"'] = 1, ['\\'] = 1,
  };
  if (!take(reader, '"')) return false;
  const char *at = reader->at;
  while (reader->end - at >= (ptrdiff_t)sizeof(json_block) && json_is_unescaped(at)) at += sizeof(json_block);
  while (!special[(unsigned char)*at]) at++;
  if (*at != '"') return false;
  piece->bytes = reader->at;
  piece->length = (size_t)(at - reader->at);
  reader->at = at + 1;
  return true;
}

static bool read_array(struct reader *reader, struct place place) {
  const struct place first = {place.depth + 1, place.root};
  if (place.depth == LEVELS || !take(reader, '[')) return false;
  if (take(reader, ']')) return true;
  if (place.root != NULL ? !read_object(reader, first) : !read_value(reader, first.depth)) return false;
  while (take(reader, ',')) {
    if (!read_value(reader, first.depth)) return false;
  }
  return take(reader, ']');
}

static bool is_same(const struct json_piece *a, const struct json_piece *b) {
  return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

/* Reads the value of a member of the outermost object. */
static bool read_root(struct reader *reader, const struct json_piece *name) {
  const struct json_path *paths = reader->pick->paths;
  size_t i = 0;
  while (i < reader->pick->count && !is_same(&paths[i].root, name)) i++;
  if (i == reader->pick->count || (reader->seen & 1U << i) != 0) return false;
  reader->seen |= 1U << i;
  if (paths[i].leaf.bytes == NULL) return read_value(reader, 1);
  return read_array(reader, (struct place){1, &paths[i].root});
}

static bool read_member(struct reader *reader, struct place place) {
  const struct json_path *paths = reader->pick->paths;
  struct json_piece name;
  if (!read_string(reader, &name) || !take(reader, ':')) return false;
  if (place.depth == 0) return read_root(reader, &name);
  for (size_t i = 0; place.root != NULL && i < reader->pick->count; i++) {
    if (paths[i].leaf.bytes == NULL || !is_same(&paths[i].leaf, &name)) continue;
    if (!is_same(&paths[i].root, place.root)) continue;
    return reader->pieces[i].bytes == NULL && read_string(reader, &reader->pieces[i]);
  }
  return read_value(reader, place.depth + 1);
}

static bool read_object(struct reader *reader, struct place place) {
  if (place.depth == LEVELS || !take(reader, '{')) return false;
  if (take(reader, '}')) return true;
  do {
    if (!read_member(reader, place)) return false;
  } while (take(reader, ','));
  return take(reader, '}');
}

static bool read_value(struct reader *reader, int depth) {
  const struct place place = {depth, NULL};
  struct json_piece piece;
  switch (peek(reader)) {
  case '"': return read_string(reader, &piece);
  case '{': return read_object(reader, place);
  case '[': return read_array(reader, place);
  default:
    piece.length = json_word_length(reader->at, reader->end);
    reader->at += piece.length;
    return piece.length > 0;
  }
}

bool json_pick(const struct json_pick *pick, const char *text, size_t length, struct json_piece pieces[JSON_PICK_MAX]) {
  struct reader reader = {text, text + length, pick, pieces, 0};
  memset(pieces, 0, JSON_PICK_MAX * sizeof *pieces);
  return read_object(&reader, (struct place){0, NULL}) && peek(&reader) == '\0' && reader.at == reader.end;
}
