/* Returns random bits of the operating system: see random.h. */
#include "random.h"

#if defined(__linux__)
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>
#else
#include <stdlib.h>
#endif

bool random_bits(uint64_t *bits) {
#if defined(__linux__)
  char *next = (char *)bits;
  size_t left = sizeof *bits;
  ssize_t count;
  do {
    count = getrandom(bits, sizeof *bits, 0); /* getrandom returns so few bytes either completely or not at all */
  } while (count < 0 && errno == EINTR);
  if (count == (ssize_t)sizeof *bits) return true;
  int file = open("/dev/urandom", O_RDONLY | O_CLOEXEC); /* for kernels before 3.17 and strict sandboxes */
  if (file < 0) return false;
  while (left > 0) {
    count = read(file, next, left);
    if (count > 0) {
      next += count;
      left -= (size_t)count;
    } else if (count == 0 || errno != EINTR) {
      if (count == 0) errno = EIO;
      break;
    }
  }
  close(file);
  return left == 0;
#else
  arc4random_buf(bits, sizeof *bits);
  return true;
#endif
}
