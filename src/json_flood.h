/* Detects hash flooding: JSON texts whose strings all have the same hash in Lua. Pure C.
 *
 * Before Lua 5.4.3 the hash function skips characters in strings of 32 or more bytes, and Lua 5.1 has no seed. An
 * attacker can choose strings that have the same hash. If all strings have the same hash, Lua compares each new string
 * with all earlier strings. */
#ifndef WABA_JSON_FLOOD_H
#define WABA_JSON_FLOOD_H

#include <stdbool.h>
#include <stddef.h>

/* This number of strings takes little time even if all of them have the same hash. */
#define JSON_FLOOD_FREE ((size_t)4096)

/* Returns the size of the memory that `json_flood` needs for a text of this length. */
size_t json_flood_size(size_t length);

/* Returns whether so many strings of a text have the same hash that Lua would need many times the usual time to create
 * them. The text need not be valid JSON. `memory` has `json_flood_size(length)` bytes, aligned for any type. */
bool json_flood(const char *text, size_t length, void *memory);

#endif
