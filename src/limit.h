/* Makes texts for the error numbers of the system. The text for an exhausted resource contains the
 * limit that was reached. Pure C. */
#ifndef WABA_LIMIT_H
#define WABA_LIMIT_H

#include <stdbool.h>

/* The size of the longest text with its NUL. */
#define LIMIT_TEXT_SIZE 160

/* Writes the meaning of the error number, and the limit if one was reached. Returns the text. */
const char *limit_describe(int error, char text[LIMIT_TEXT_SIZE]);

/* Returns EMFILE or ENFILE if the process can't open the files that one connection needs, else 0. */
int limit_of_files(void);

#endif
