/* Describes error numbers of the system (errno) as text. If a resource is exhausted, the text contains its limit. Pure
 * C. */
#ifndef WABA_LIMIT_H
#define WABA_LIMIT_H

#include <stdbool.h>

/* The size of the longest text, including its NUL. */
#define LIMIT_TEXT_SIZE 160

/* Writes the meaning of the error number. If a limit of the system was reached, also writes the limit. Returns the
 * text. */
const char *limit_describe(int error, char text[LIMIT_TEXT_SIZE]);

/* Returns EMFILE or ENFILE if the process can't open the files that one connection needs, else 0. */
int limit_of_files(void);

#endif
