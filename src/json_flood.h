/* Detects hash flooding: JSON texts whose strings all have the same hash in Lua. Pure C.
 *
 * Before Lua 5.4.3 the hash function skips characters of strings of 32 bytes and more, and that of Lua 5.1 has no
 * seed: an attacker can choose strings with the same hash. Lua compares each new string with all earlier ones. */
#ifndef WABA_JSON_FLOOD_H
#define WABA_JSON_FLOOD_H

#include <stdbool.h>
#include <stddef.h>

/* This number of strings takes little time even when they all have the same hash. */
#define JSON_FLOOD_FREE ((size_t)4096)

/* The memory that `json_flood` needs for a text of this length. */
size_t json_flood_size(size_t length);

/* Whether the strings of a text, which need not be valid, have so few different hashes that Lua takes many times as long
 * as usual to create them. `memory` has `json_flood_size(length)` bytes, aligned for any type. */
bool json_flood(const char *text, size_t length, void *memory);

#endif
