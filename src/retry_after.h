/* Reads the value of the header Retry-After. Pure C without state. */
#ifndef WABA_RETRY_AFTER_H
#define WABA_RETRY_AFTER_H

#include <stdbool.h>
#include <stddef.h>

/* The largest result in seconds; a larger value is reduced to this number. */
#define RETRY_AFTER_MAX 3600

/* Reads seconds, or an HTTP date in any of its three forms. The result is in seconds from `now` (Unix time), between
 * 0 and RETRY_AFTER_MAX. Returns false for any other text. */
bool retry_after_read(const char *value, size_t length, long long now, long *seconds);

/* Reads an HTTP date as Unix time. `now` determines the century of a year of two digits. Returns
 * false if the text is not a date. */
bool retry_after_date(const char *value, size_t length, long long now, long long *time);

#endif
