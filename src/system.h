/* Services of the operating system: the text of an errno, random bits, and files that are removed at exit. Pure C. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The size of the longest text of `system_describe`, including its NUL. */
#define SYSTEM_TEXT_SIZE 160

/* Writes the meaning of an errno into `text`, and returns `text`. If a limit of the system or the process was reached,
 * the text contains the limit. */
const char *system_describe(int error, char text[SYSTEM_TEXT_SIZE]);

/* Returns EMFILE or ENFILE if the process can't open the files that one connection needs, else 0. */
int system_limit_of_files(void);

/* Returns false, with errno, if the system has no random numbers. */
bool system_random(uint64_t *bits);

/* Registers a file that is removed when this process exits. The exit of a child process does not remove the file.
 * Returns false if there is not enough memory. */
bool system_remove_at_exit(const char *path);

/* Cancels one registration of the file. If the file is not registered, does nothing. */
void system_keep_at_exit(const char *path);
