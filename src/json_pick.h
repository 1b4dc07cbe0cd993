/* Reads a few strings from a JSON text without decoding the rest, for responses of which few fields are needed. Only
 * simple texts can be read without decoding. Pure C without state and without allocation. */
#ifndef WABA_JSON_PICK_H
#define WABA_JSON_PICK_H

#include <stdbool.h>
#include <stddef.h>

#define JSON_PICK_MAX 12

struct json_piece {
  const char *bytes; /* NULL: absent */
  size_t length;
};

/* The path to a string in {"root": [{"leaf": "string", …}, …], …}: the field `leaf` in the first object of the array
 * `root`. A path without a leaf means that the object may have a member `root`, whose value is ignored. */
struct json_path {
  struct json_piece root;
  struct json_piece leaf;
};

struct json_pick {
  size_t count;
  struct json_path paths[JSON_PICK_MAX];
};

/* Finds the string of each path in the text, which must be a JSON object. Returns false if the text must be decoded. A
 * text must be decoded if it has numbers, escapes, control characters or many levels, or if its outermost object has a
 * member that is not a root. A text must also be decoded if a root or leaf is repeated or has another type, or if the
 * JSON is invalid. */
bool json_pick(const struct json_pick *pick, const char *text, size_t length,
               struct json_piece pieces[JSON_PICK_MAX]);

#endif
