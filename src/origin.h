/* The origin of a URL that requests may be sent to. Pure C without state. */
#ifndef WABA_ORIGIN_H
#define WABA_ORIGIN_H

#include <stddef.h>

/* Bytes for the longest origin and its NUL. */
#define ORIGIN_SIZE 288

/* Writes the origin of an absolute URL into `origin`: in lower case, without a default port, with IP addresses in their
 * canonical form. Returns NULL, or a static message: the scheme is not https (or http to loopback), the URL has user
 * information, no host, a bad port or an invalid byte. libcurl reads an accepted URL in the same way. */
const char *origin_read(const char *url, size_t length, char origin[ORIGIN_SIZE]);

#endif
