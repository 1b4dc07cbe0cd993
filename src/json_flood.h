/* JSON texts made so that Lua's hash function can't tell their strings apart. Pure C.
 *
 * Before 5.4.3 that function leaves out characters of strings of 32 bytes and more, and Lua 5.1's has no seed:
 * somebody can choose strings that all have the same hash. Each new one is then compared with all before. */
#ifndef WABA_JSON_FLOOD_H
#define WABA_JSON_FLOOD_H

#include <stdbool.h>
#include <stddef.h>

/* So few strings cost little even when they all have the same hash. */
#define JSON_FLOOD_FREE ((size_t)4096)

/* The memory that `json_flood` needs for a text of this length. */
size_t json_flood_size(size_t length);

/* Whether the strings of a text that `json_scan` accepts share so few hashes that making them takes many
 * times as long as it should. `memory` has `json_flood_size(length)` bytes, aligned for any type. */
bool json_flood(const char *text, size_t length, void *memory);

#endif
