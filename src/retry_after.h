/* Reads the value of Retry-After. Pure C without state. */
#ifndef WABA_RETRY_AFTER_H
#define WABA_RETRY_AFTER_H

#include <stdbool.h>
#include <stddef.h>

/* In seconds. A longer value counts as this one. */
#define RETRY_AFTER_MAX 3600

/* Reads seconds, or an HTTP date in any of its three forms, as seconds from `now` (Unix time), between 0 and
 * RETRY_AFTER_MAX. Returns false for other texts. */
bool retry_after_read(const char *value, size_t length, long long now, long *seconds);

/* Reads an HTTP date as Unix time. `now` completes a year of two digits. Returns false if the text is not a date. */
bool retry_after_date(const char *value, size_t length, long long now, long long *time);

#endif
