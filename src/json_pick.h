/* Takes a few strings out of a JSON text without making values of the rest: for answers of which little is
 * wanted. Reads only what is plain; whatever else there is stays for a decoder. Pure C without state and
 * without allocation. */
#ifndef WABA_JSON_PICK_H
#define WABA_JSON_PICK_H

#include <stdbool.h>
#include <stddef.h>

#define JSON_PICK_MAX 12

struct json_piece {
  const char *bytes; /* NULL: there is none */
  size_t length;
};

/* `{"root": [{"leaf": "the string", …}, …], …}`; without a leaf: a name that may stand beside. */
struct json_wish {
  struct json_piece root;
  struct json_piece leaf;
};

struct json_pick {
  size_t count;
  struct json_wish wishes[JSON_PICK_MAX];
};

/* Finds the piece of each wish in the text, a whole JSON object. False: the text has to be decoded, for it
 * has numbers, escapes, control characters, many levels, names at the top that are no root, a root or
 * leaf twice or of another type; or it is no JSON. */
bool json_pick(const struct json_pick *pick, const char *text, size_t length,
               struct json_piece pieces[JSON_PICK_MAX]);

#endif
