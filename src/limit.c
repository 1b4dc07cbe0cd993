/* Describes error numbers and limits of the system: see limit.h. */
#include "limit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* The number of descriptors that one connection needs: for its socket, and for the files that are read to resolve a
 * name and to load certificates. */
#define FILES_OF_CONNECTION 4

const char *limit_describe(int error, char text[LIMIT_TEXT_SIZE]) {
  struct rlimit limit;
  if (error == EMFILE && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    snprintf(text, LIMIT_TEXT_SIZE, "too many open files: this process may have %llu (ulimit -n)",
             (unsigned long long)limit.rlim_cur);
  } else if (error == ENFILE) {
    snprintf(text, LIMIT_TEXT_SIZE, "too many open files in the whole system (sysctl fs.file-max)");
  } else {
    snprintf(text, LIMIT_TEXT_SIZE, "%s", strerror(error));
  }
  return text;
}

int limit_of_files(void) {
  int opened[FILES_OF_CONNECTION], count = 0, error = 0;
  while (count < FILES_OF_CONNECTION) {
    opened[count] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (opened[count] < 0) {
      if (errno == EMFILE || errno == ENFILE) error = errno;
      break;
    }
    count++;
  }
  while (count > 0) close(opened[--count]);
  return error;
}
