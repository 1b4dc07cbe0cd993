/* Detects a fork. If the system can zero memory in child processes, the detection reads one byte; otherwise it calls
 * getpid. Pure C. The struct owns its page. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct process_mark {
  unsigned char *alive; /* a page that the system zeroes in a child process; NULL: not supported */
  pid_t process;
};

/* Stores the identity of the running process. */
void process_remember(struct process_mark *mark);

/* Returns whether the running process is the stored one. */
bool process_is_same(const struct process_mark *mark);

void process_forget(struct process_mark *mark);
