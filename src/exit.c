/* Files that are removed when the process exits: see exit.h. */
#include "exit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

struct entry {
  struct entry *next;
  pid_t process; /* the process that added the entry; a child does not remove the files of its parent */
  char path[];
};

/* All Lua states of the process share the list. The Lua states may run in different threads. */
static struct entry *entries;
static bool is_registered;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void remove_all(void) {
  const struct entry *entry;
  const pid_t process = getpid();
  pthread_mutex_lock(&mutex);
  for (entry = entries; entry != NULL; entry = entry->next) {
    if (entry->process == process) unlink(entry->path);
  }
  pthread_mutex_unlock(&mutex);
}

bool exit_removes(const char *path) {
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

void exit_leaves(const char *path) {
  struct entry **link;
  pthread_mutex_lock(&mutex);
  for (link = &entries; *link != NULL && strcmp((*link)->path, path) != 0;) link = &(*link)->next;
  struct entry *entry = *link;
  if (entry != NULL) *link = entry->next;
  pthread_mutex_unlock(&mutex);
  free(entry);
}
