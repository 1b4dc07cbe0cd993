/* Removes files when the process exits, even by os.exit, which does not close the Lua state. Pure C. */
#ifndef WABA_EXIT_H
#define WABA_EXIT_H

#include <stdbool.h>

/* Registers a file that is removed when this process exits; the exit of a child process does not remove it. Returns
 * false if there is not enough memory. */
bool exit_removes(const char *path);

/* Cancels one registration of the file. If the file is not registered, does nothing. */
void exit_leaves(const char *path);

#endif
