/* Detects a fork: see process.h. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif

#include "process.h"

#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(MADV_WIPEONFORK) && defined(MAP_ANONYMOUS)

static unsigned char *new_page(void) {
  size_t size = (size_t)sysconf(_SC_PAGESIZE);
  void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return NULL;
  if (madvise(page, size, MADV_WIPEONFORK) == 0) return page;
  munmap(page, size);
  return NULL;
}

static void free_page(unsigned char *page) {
  munmap(page, (size_t)sysconf(_SC_PAGESIZE));
}

#else

static unsigned char *new_page(void) {
  return NULL;
}

static void free_page(unsigned char *page) {
  (void)page;
}

#endif

void process_remember(struct process_mark *mark) {
  if (mark->alive == NULL) mark->alive = new_page();
  if (mark->alive != NULL) *mark->alive = 1;
  mark->process = getpid();
}

bool process_is_same(const struct process_mark *mark) {
  if (mark->alive != NULL) return *mark->alive != 0;
  return mark->process == getpid();
}

void process_forget(struct process_mark *mark) {
  if (mark->alive != NULL) free_page(mark->alive);
  mark->alive = NULL;
}
