/* Notices that the program goes on in a child process, at the cost of reading one byte where the system
 * can wipe memory in children, else of a call of getpid. Pure C; the struct owns its page. */
#ifndef WABA_PROCESS_H
#define WABA_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* All zeros is one that has remembered nothing. */
struct process_mark {
  unsigned char *alive; /* a page that is zero in a child; NULL: there is no such thing */
  pid_t process;
};

/* Remembers the running process. */
void process_remember(struct process_mark *mark);

/* Whether the running process is the one that was remembered. */
bool process_is_same(const struct process_mark *mark);

void process_forget(struct process_mark *mark);

#endif
