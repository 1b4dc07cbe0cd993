/* Detects hash flooding: JSON texts whose strings all have the same hash in Lua. Before Lua 5.4.3 the hash function
 * skips characters in strings of 32 or more bytes, and Lua 5.1 has no seed. An attacker can choose strings that have
 * the same hash. If all strings have the same hash, Lua compares each new string with all earlier strings. */
#include "json_parts.h"
#include "system.h"
#include "text.h"

#define BUCKETS ((size_t)16384)

/* A bucket counts the strings with the same place in Lua's hash table. A string that equals a recent string of the
 * bucket is not counted again, because the names of fields occur repeatedly. */
#define RECENT 4
struct bucket {
  uint32_t count;
  uint32_t recent[RECENT]; /* the identities of strings; 0: unused */
};

struct flood {
  struct bucket *buckets;
  uint64_t seed;  /* random, so that an attacker can't choose strings with the same identity */
  uint64_t count; /* the number of strings */
  uint64_t steps; /* the number of comparisons if each new string is compared with all earlier strings of its bucket */
};

size_t json_flood_size(size_t length) { return BUCKETS * sizeof(struct bucket) + length; }

/* Computes Lua's hash without its seed. Strings with the same length and the same sampled characters have the same hash
 * for every seed. */
static uint32_t lua_hash(const char *bytes, size_t length) {
  uint32_t hash = (uint32_t)length;
  const size_t step = (length >> 5) + 1;
  for (; length >= step; length -= step) hash ^= (hash << 5) + (hash >> 2) + (unsigned char)bytes[length - 1];
  return hash;
}

static uint32_t identity(uint64_t seed, const char *bytes, size_t length) {
  uint64_t hash = seed ^ length;
  for (size_t i = 0; i < length; i++) {
    hash = (hash ^ (unsigned char)bytes[i]) * (seed | 1);
    hash ^= hash >> 29;
  }
  return (uint32_t)(hash >> 32);
}

static void add(struct flood *flood, const char *bytes, size_t length) {
  struct bucket *const bucket = &flood->buckets[lua_hash(bytes, length) % BUCKETS];
  const uint32_t id = identity(flood->seed, bytes, length);
  flood->count++;
  for (size_t i = 0; i < RECENT; i++) {
    if (bucket->recent[i] == id) return;
  }
  flood->steps += bucket->count;
  bucket->recent[bucket->count++ % RECENT] = id;
}

/* Adds the string whose opening quote is at `at`. Returns the position after the string. */
static const char *add_string(struct flood *flood, const char *at, const char *end, char *scratch) {
  const char *const start = at + 1;
  for (at = start; at < end && *at != '"' && *at != '\\'; at++) continue;
  if (at == end || *at == '"') add(flood, start, (size_t)(at - start));
  else add(flood, scratch, json_unescape(start, end, scratch, &at));
  return at + 1;
}

/* Counts the number that begins at `at` if it is so long that the reader returns it as a string. Returns the position
 * after the number. */
static const char *add_number(struct flood *flood, const char *at, const char *end) {
  const char *const start = at;
  while (at < end && (text_is_digit(*at) || *at == '-')) at++;
  if (at - start > 15) add(flood, start, (size_t)(at - start));
  return at;
}

bool json_flood(const char *text, size_t length, void *memory) {
  struct flood flood = {memory, 0, 0, 0};
  char *const scratch = (char *)memory + BUCKETS * sizeof(struct bucket);
  const char *at = text, *const end = text + length;
  system_random(&flood.seed);
  memset(memory, 0, BUCKETS * sizeof(struct bucket));
  while (at < end) {
    if (*at == '"') at = add_string(&flood, at, end, scratch);
    else if (text_is_digit(*at) || *at == '-') at = add_number(&flood, at, end);
    else at++;
  }
  /* If the strings are evenly distributed, there are count^2 / (2 BUCKETS) steps. */
  return flood.steps > JSON_FLOOD_FREE * JSON_FLOOD_FREE / 2 + 4 * flood.count * flood.count / BUCKETS;
}
