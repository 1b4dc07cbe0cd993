/* The origin of a URL, as far as this library sends anything there. Pure C without state. */
#ifndef WABA_ORIGIN_H
#define WABA_ORIGIN_H

#include <stddef.h>

/* Room for any origin that `origin_read` accepts, with its NUL. */
#define ORIGIN_SIZE 288

/* Writes the origin of an absolute URL into `origin`: lower case, the default port left out, IP
 * addresses in their usual form. Returns NULL, or why the URL can't be used: other than https
 * (http to loopback only), user information, no host, a bad port, a byte no URL may have. What it
 * accepts is read in the same way by libcurl. */
const char *origin_read(const char *url, size_t length, char origin[ORIGIN_SIZE]);

#endif
