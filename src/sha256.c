/* SHA-256 (FIPS 180-4), HMAC-SHA-256 (RFC 2104) and their Lua class: see annotations/core.lua. */
#include <stdint.h>

#include "compat.h"
#include "core.h"
#include "text.h"

/* x86-64 processors since about 2019 have instructions for SHA-256. -DSHA256_PORTABLE compiles the file without
 * them. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(SHA256_PORTABLE)
#define HAS_INSTRUCTIONS 1
#include <cpuid.h>
#include <immintrin.h>
#else
#define HAS_INSTRUCTIONS 0
#endif

#define SHA256_SIZE 32
#define SHA256_BLOCK 64

struct sha256 {
  uint32_t state[8];
  uint64_t length;                   /* the number of bytes so far */
  unsigned char block[SHA256_BLOCK]; /* the last length % SHA256_BLOCK bytes of the message */
  uint32_t schedule[64];             /* the message schedule of the current block; wiped with the hash */
};

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t word, int bits) { return word >> bits | word << (32 - bits); }

static uint32_t read_word(const unsigned char *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Processes one block as section 6.2.2 of the standard describes. The variables have the names of the standard. */
static void process(struct sha256 *hash, const unsigned char block[SHA256_BLOCK]) {
  uint32_t *const w = hash->schedule, *const state = hash->state;
  uint32_t a, b, c, d, e, f, g, h;
  int t;
  for (t = 0; t < 16; t++) w[t] = read_word(block + 4 * t);
  for (; t < 64; t++) {
    const uint32_t s0 = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ w[t - 15] >> 3;
    const uint32_t s1 = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ w[t - 2] >> 10;
    w[t] = s1 + w[t - 7] + s0 + w[t - 16];
  }
  a = state[0], b = state[1], c = state[2], d = state[3];
  e = state[4], f = state[5], g = state[6], h = state[7];
  for (t = 0; t < 64; t++) {
    const uint32_t s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + constants[t] + w[t];
    const uint32_t s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d;
  state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

#if HAS_INSTRUCTIONS

/* Several threads can call this function at the same time. All threads store the same value. */
static bool has_instructions(void) {
  static int known = -1;
  unsigned a, b, c = 0, d, extended = 0;
  if (known < 0) {
    const bool is_read = __get_cpuid_count(7, 0, &a, &extended, &c, &d) && __get_cpuid(1, &a, &b, &c, &d);
    known = is_read && (extended & bit_SHA) != 0 && (c & bit_SSE4_1) != 0 && (c & bit_SSSE3) != 0;
  }
  return known == 1;
}

#define WITH_INSTRUCTIONS __attribute__((target("sha,sse4.1,ssse3")))

/* The words of the hash in the order that the instructions require. */
struct halves {
  __m128i abef, cdgh;
};

/* Performs four rounds of SHA-256 with the given words of the message schedule. */
WITH_INSTRUCTIONS static inline void take_words(struct halves *state, __m128i words, int t) {
  const __m128i *of_step = (const __m128i *)(const void *)(constants + t);
  const __m128i sum = _mm_add_epi32(words, _mm_loadu_si128(of_step));
  state->cdgh = _mm_sha256rnds2_epu32(state->cdgh, state->abef, sum);
  state->abef = _mm_sha256rnds2_epu32(state->abef, state->cdgh, _mm_shuffle_epi32(sum, 0x0E));
}

/* Returns the next four words of the message schedule, from the previous sixteen. */
WITH_INSTRUCTIONS static inline __m128i next_words(__m128i w0, __m128i w4, __m128i w8, __m128i w12) {
  const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w4), _mm_alignr_epi8(w12, w8, 4));
  return _mm_sha256msg2_epu32(sum, w12);
}

WITH_INSTRUCTIONS static inline __m128i read_words(const unsigned char *bytes) {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
  return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)bytes), big_endian);
}

/* Processes several blocks by the instructions of the processor. */
WITH_INSTRUCTIONS static void process_fast(struct sha256 *hash, const unsigned char *block, size_t count) {
  __m128i *const stored = (__m128i *)(void *)hash->state;
  const __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128(stored), 0xB1);
  const __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128(stored + 1), 0x1B);
  struct halves state = {_mm_alignr_epi8(badc, hgfe, 8), _mm_blend_epi16(hgfe, badc, 0xF0)};
  __m128i feba, dchg;
  for (; count > 0; count--, block += SHA256_BLOCK) {
    const struct halves before = state;
    __m128i w0 = read_words(block), w4 = read_words(block + 16);
    __m128i w8 = read_words(block + 32), w12 = read_words(block + 48);
    int t = 0;
    for (;;) {
      take_words(&state, w0, t);
      take_words(&state, w4, t + 4);
      take_words(&state, w8, t + 8);
      take_words(&state, w12, t + 12);
      t += 16;
      if (t == 64) break;
      w0 = next_words(w0, w4, w8, w12);
      w4 = next_words(w4, w8, w12, w0);
      w8 = next_words(w8, w12, w0, w4);
      w12 = next_words(w12, w0, w4, w8);
    }
    state.abef = _mm_add_epi32(state.abef, before.abef);
    state.cdgh = _mm_add_epi32(state.cdgh, before.cdgh);
  }
  feba = _mm_shuffle_epi32(state.abef, 0x1B);
  dchg = _mm_shuffle_epi32(state.cdgh, 0xB1);
  _mm_storeu_si128(stored, _mm_blend_epi16(feba, dchg, 0xF0));
  _mm_storeu_si128(stored + 1, _mm_alignr_epi8(dchg, feba, 8));
}

#endif

static void process_blocks(struct sha256 *hash, const unsigned char *block, size_t count) {
#if HAS_INSTRUCTIONS
  if (has_instructions()) {
    process_fast(hash, block, count);
    return;
  }
#endif
  for (; count > 0; count--, block += SHA256_BLOCK) process(hash, block);
}

static void start(struct sha256 *hash) {
  static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(hash->state, initial, sizeof initial);
  hash->length = 0;
}

static void update(struct sha256 *hash, const void *bytes, size_t length) {
  const unsigned char *next = bytes;
  size_t waiting = (size_t)(hash->length % SHA256_BLOCK);
  hash->length += length;
  if (waiting > 0) {
    const size_t room = SHA256_BLOCK - waiting;
    const size_t taken = length < room ? length : room;
    memcpy(hash->block + waiting, next, taken);
    if (taken < room) return;
    process_blocks(hash, hash->block, 1);
    next += taken;
    length -= taken;
  }
  process_blocks(hash, next, length / SHA256_BLOCK);
  next += length - length % SHA256_BLOCK;
  length %= SHA256_BLOCK;
  if (length > 0) memcpy(hash->block, next, length);
}

/* Writes the digest and wipes the hash, which must be started again before its next use. */
static void finish(struct sha256 *hash, unsigned char digest[SHA256_SIZE]) {
  static const unsigned char padding[SHA256_BLOCK] = {0x80};
  const uint64_t bits = hash->length * 8;
  const size_t waiting = (size_t)(hash->length % SHA256_BLOCK);
  unsigned char size[8];
  for (int i = 0; i < 8; i++) size[i] = (unsigned char)(bits >> (56 - 8 * i));
  update(hash, padding, waiting < 56 ? 56 - waiting : 120 - waiting);
  update(hash, size, sizeof size);
  for (int i = 0; i < SHA256_SIZE; i++) digest[i] = (unsigned char)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
  text_wipe(hash, sizeof *hash);
}

static void hmac(const void *key, size_t key_length, const void *bytes, size_t length,
                 unsigned char digest[SHA256_SIZE]) {
  unsigned char inner[SHA256_BLOCK] = {0}, outer[SHA256_BLOCK];
  struct sha256 hash;
  start(&hash);
  if (key_length > SHA256_BLOCK) {
    update(&hash, key, key_length);
    finish(&hash, inner);
    start(&hash);
  } else if (key_length > 0) {
    memcpy(inner, key, key_length);
  }
  for (int i = 0; i < SHA256_BLOCK; i++) {
    outer[i] = inner[i] ^ 0x5c;
    inner[i] ^= 0x36;
  }
  update(&hash, inner, sizeof inner);
  update(&hash, bytes, length);
  finish(&hash, digest);
  start(&hash);
  update(&hash, outer, sizeof outer);
  update(&hash, digest, SHA256_SIZE);
  finish(&hash, digest);
  text_wipe(inner, sizeof inner);
  text_wipe(outer, sizeof outer);
}

static const char SHA256_CLASS[] = "waba.Sha256";

static int push_hex(lua_State *L, const unsigned char digest[SHA256_SIZE]) {
  static const char digits[] = "0123456789abcdef";
  char hex[2 * SHA256_SIZE];
  for (int i = 0; i < SHA256_SIZE; i++) {
    hex[2 * i] = digits[digest[i] >> 4];
    hex[2 * i + 1] = digits[digest[i] & 15];
  }
  return compat_bytes(L, hex, sizeof hex);
}

int sha256_hmac_function(lua_State *L) {
  unsigned char digest[SHA256_SIZE];
  size_t key_length, length;
  const char *key = luaL_checklstring(L, 1, &key_length);
  const char *bytes = luaL_checklstring(L, 2, &length);
  hmac(key, key_length, bytes, length, digest);
  return push_hex(L, digest);
}

static struct sha256 *check_sha256(lua_State *L) { return compat_checkclass(L, 1, SHA256_CLASS); }

int sha256_new(lua_State *L) {
  start(lua_newuserdatauv(L, sizeof(struct sha256), 0));
  compat_setclass(L, SHA256_CLASS);
  return 1;
}

static int sha256_update_method(lua_State *L) {
  struct sha256 *hash = check_sha256(L);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  update(hash, bytes, length);
  lua_settop(L, 1);
  return 1;
}

static int sha256_hex_method(lua_State *L) {
  struct sha256 hash = *check_sha256(L);
  unsigned char digest[SHA256_SIZE];
  finish(&hash, digest);
  return push_hex(L, digest);
}

static int sha256_tostring(lua_State *L) {
  lua_pushfstring(L, "%s (%p)", SHA256_CLASS, (void *)check_sha256(L));
  return 1;
}

static const luaL_Reg sha256_class[] = {
    {"update", sha256_update_method},
    {"hex", sha256_hex_method},
    {"__tostring", sha256_tostring},
    {NULL, NULL},
};

void sha256_register(lua_State *L) { compat_newclass(L, SHA256_CLASS, sha256_class); }
