/* Files that are removed when the process exits, also where nobody else gets to it (os.exit). Pure C. */
#ifndef WABA_EXIT_H
#define WABA_EXIT_H

#include <stdbool.h>

/* From now on this file goes with the process; not with a child of it. False: not enough memory. */
bool exit_removes(const char *path);

/* The file stays, or is gone already. */
void exit_leaves(const char *path);

#endif
