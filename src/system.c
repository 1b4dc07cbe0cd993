/* Calls of the operating system: see system.h. */
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/random.h>
#endif

/* The number of descriptors of one connection: its socket, and the files for the name lookup and the certificates. */
#define FILES_OF_CONNECTION 4

const char *system_describe(int error, char text[SYSTEM_TEXT_SIZE]) {
  struct rlimit limit;
  if (error == EMFILE && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    snprintf(text, SYSTEM_TEXT_SIZE, "too many open files: this process may have %llu (ulimit -n)",
             (unsigned long long)limit.rlim_cur);
  } else if (error == ENFILE) {
    snprintf(text, SYSTEM_TEXT_SIZE, "too many open files in the whole system (sysctl fs.file-max)");
  } else {
    snprintf(text, SYSTEM_TEXT_SIZE, "%s", strerror(error));
  }
  return text;
}

int system_limit_of_files(void) {
  int opened[FILES_OF_CONNECTION], count = 0, error = 0;
  while (count < FILES_OF_CONNECTION && (opened[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) count++;
  if (count < FILES_OF_CONNECTION && (errno == EMFILE || errno == ENFILE)) error = errno;
  while (count > 0) close(opened[--count]);
  return error;
}

bool system_random(uint64_t *bits) {
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

struct entry {
  struct entry *next;
  pid_t process; /* the process that added the entry; a child does not remove the files of its parent */
  char path[];
};

/* All Lua states of the process share the list. The Lua states can run in different threads. */
static struct entry *entries;
static bool is_registered;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void remove_all(void) {
  pthread_mutex_lock(&mutex);
  for (const struct entry *entry = entries; entry != NULL; entry = entry->next) {
    if (entry->process == getpid()) unlink(entry->path);
  }
  pthread_mutex_unlock(&mutex);
}

bool system_remove_at_exit(const char *path) {
  struct entry *entry = malloc(sizeof *entry + strlen(path) + 1);
  if (entry == NULL) return false;
  strcpy(entry->path, path);
  entry->process = getpid();
  pthread_mutex_lock(&mutex);
  bool registered = is_registered || atexit(remove_all) == 0;
  if (registered) {
    is_registered = true;
    entry->next = entries;
    entries = entry;
  }
  pthread_mutex_unlock(&mutex);
  if (!registered) free(entry);
  return registered;
}

void system_keep_at_exit(const char *path) {
  pthread_mutex_lock(&mutex);
  struct entry **link = &entries;
  while (*link != NULL && strcmp((*link)->path, path) != 0) link = &(*link)->next;
  struct entry *entry = *link;
  if (entry != NULL) *link = entry->next;
  pthread_mutex_unlock(&mutex);
  free(entry);
}
