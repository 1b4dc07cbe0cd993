/* Files that are removed when the process exits, also by os.exit, which does not close the Lua state. Pure C. */
#ifndef WABA_EXIT_H
#define WABA_EXIT_H

#include <stdbool.h>

/* Registers a file to be removed when this process exits; the exit of a child does not remove it. Returns false
 * when there is not enough memory. */
bool exit_removes(const char *path);

/* Cancels one registration of the file. Does nothing without one. */
void exit_leaves(const char *path);

#endif
