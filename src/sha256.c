/* SHA-256 (FIPS 180-4) in steps, and HMAC-SHA-256 (RFC 2104). */
#include "sha256.h"

#include <string.h>

#include "text.h"

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

/* Section 6.2.2: one block, in the standard's own letters. */
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

void sha256_start(struct sha256 *hash) {
  static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(hash->state, initial, sizeof initial);
  hash->length = 0;
}

void sha256_update(struct sha256 *hash, const void *bytes, size_t length) {
  const unsigned char *next = bytes;
  size_t waiting = (size_t)(hash->length % SHA256_BLOCK);
  hash->length += length;
  if (waiting > 0) {
    const size_t room = SHA256_BLOCK - waiting;
    const size_t taken = length < room ? length : room;
    memcpy(hash->block + waiting, next, taken);
    if (taken < room) return;
    process(hash, hash->block);
    next += taken;
    length -= taken;
  }
  for (; length >= SHA256_BLOCK; length -= SHA256_BLOCK, next += SHA256_BLOCK) {
    process(hash, next);
  }
  if (length > 0) memcpy(hash->block, next, length);
}

void sha256_finish(struct sha256 *hash, unsigned char digest[SHA256_SIZE]) {
  static const unsigned char padding[SHA256_BLOCK] = {0x80};
  const uint64_t bits = hash->length * 8;
  const size_t waiting = (size_t)(hash->length % SHA256_BLOCK);
  unsigned char size[8];
  int i;
  for (i = 0; i < 8; i++) size[i] = (unsigned char)(bits >> (56 - 8 * i));
  sha256_update(hash, padding, waiting < 56 ? 56 - waiting : 120 - waiting);
  sha256_update(hash, size, sizeof size);
  for (i = 0; i < SHA256_SIZE; i++) {
    digest[i] = (unsigned char)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
  }
  text_wipe(hash, sizeof *hash);
}

void sha256_hmac(const void *key, size_t key_length, const void *bytes, size_t length,
                 unsigned char digest[SHA256_SIZE]) {
  unsigned char inner[SHA256_BLOCK] = {0}, outer[SHA256_BLOCK];
  struct sha256 hash;
  int i;
  sha256_start(&hash);
  if (key_length > SHA256_BLOCK) {
    sha256_update(&hash, key, key_length);
    sha256_finish(&hash, inner);
    sha256_start(&hash);
  } else if (key_length > 0) {
    memcpy(inner, key, key_length);
  }
  for (i = 0; i < SHA256_BLOCK; i++) {
    outer[i] = inner[i] ^ 0x5c;
    inner[i] ^= 0x36;
  }
  sha256_update(&hash, inner, sizeof inner);
  sha256_update(&hash, bytes, length);
  sha256_finish(&hash, digest);
  sha256_start(&hash);
  sha256_update(&hash, outer, sizeof outer);
  sha256_update(&hash, digest, SHA256_SIZE);
  sha256_finish(&hash, digest);
  text_wipe(inner, sizeof inner);
  text_wipe(outer, sizeof outer);
}

void sha256_hex(const unsigned char digest[SHA256_SIZE], char out[2 * SHA256_SIZE]) {
  static const char digits[] = "0123456789abcdef";
  int i;
  for (i = 0; i < SHA256_SIZE; i++) {
    out[2 * i] = digits[digest[i] >> 4];
    out[2 * i + 1] = digits[digest[i] & 15];
  }
}
