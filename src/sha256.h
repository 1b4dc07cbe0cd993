/* SHA-256 (FIPS 180-4), computed in steps, and HMAC-SHA-256 (RFC 2104). Pure C without allocation: the caller owns all
 * structs and buffers. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32
#define SHA256_BLOCK 64

struct sha256 {
  uint32_t state[8];
  uint64_t length;                   /* the number of bytes so far */
  unsigned char block[SHA256_BLOCK]; /* the last length % SHA256_BLOCK bytes of the message */
  uint32_t schedule[64];             /* the message schedule of the current block; wiped with the hash */
};

void sha256_start(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const void *bytes, size_t length);

/* Writes the digest and wipes the hash, which must be started again before its next use. */
void sha256_finish(struct sha256 *hash, unsigned char digest[SHA256_SIZE]);

void sha256_hmac(const void *key, size_t key_length, const void *bytes, size_t length,
                 unsigned char digest[SHA256_SIZE]);

/* Writes the digest in lower-case hexadecimal digits, without NUL. */
void sha256_hex(const unsigned char digest[SHA256_SIZE], char out[2 * SHA256_SIZE]);
