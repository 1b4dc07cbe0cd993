/* Takes a few strings out of a JSON text without decoding the rest: for responses of which few fields are needed. Reads
 * simple texts only; the others must be decoded. Pure C without state and without allocation. */
#ifndef WABA_JSON_PICK_H
#define WABA_JSON_PICK_H

#include <stdbool.h>
#include <stddef.h>

#define JSON_PICK_MAX 12

struct json_piece {
  const char *bytes; /* NULL: absent */
  size_t length;
};

/* The string of the field `leaf` in the first object of the array `root`: {"root": [{"leaf": "string", …}, …], …}.
 * Without a leaf: the object may have the name `root`, and its value is ignored. */
struct json_path {
  struct json_piece root;
  struct json_piece leaf;
};

struct json_pick {
  size_t count;
  struct json_path paths[JSON_PICK_MAX];
};

/* Finds the string of each path in the text, a whole JSON object. Returns false for texts that must be decoded instead:
 * those with numbers, escapes, control characters, many levels, names at the top that are no root, a repeated root or
 * leaf, a root or leaf of another type, and invalid JSON. */
bool json_pick(const struct json_pick *pick, const char *text, size_t length,
               struct json_piece pieces[JSON_PICK_MAX]);

#endif
