/* Returns random bits of the operating system: see random.h. */
#include "random.h"

#if defined(__linux__)
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>
#else
#include <stdlib.h>
#endif

bool random_bits(uint64_t *bits) {
#if defined(__linux__)
  const ssize_t size = (ssize_t)sizeof *bits;
  if (getrandom(bits, sizeof *bits, 0) == size) return true;
  /* getrandom fails on a kernel before 3.17, in a strict sandbox, or after a signal while the system starts. */
  int file = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  bool is_read = read(file, bits, sizeof *bits) == size;
  close(file);
  return is_read;
#else
  arc4random_buf(bits, sizeof *bits);
  return true;
#endif
}
