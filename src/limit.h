/* Error numbers of the system in words: an exhausted resource with its limit. Pure C. */
#ifndef WABA_LIMIT_H
#define WABA_LIMIT_H

#include <stdbool.h>

/* Room for every text. */
#define LIMIT_TEXT_SIZE 160

/* Writes what the error number means; where a limit was reached, which one. Returns the text. */
const char *limit_describe(int error, char text[LIMIT_TEXT_SIZE]);

/* EMFILE or ENFILE when at most so few more files can be opened as one connection takes; else 0. */
int limit_of_files(void);

#endif
