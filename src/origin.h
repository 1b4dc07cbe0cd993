/* Reads the origin of a URL to which requests may be sent. Pure C without state. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The size of the longest origin, including its NUL. */
#define ORIGIN_SIZE 288

/* Writes the origin of an absolute URL into `origin`: in lower case, without a default port, and with IP addresses in
 * their canonical form. Returns NULL if the URL is valid, else a static error text. A URL is invalid if its scheme is
 * not https (or http to loopback), or if it has user information, no host, an invalid port or an invalid byte. libcurl
 * reads an accepted URL in the same way. */
const char *origin_read(const char *url, size_t length, char origin[ORIGIN_SIZE]);

/* Returns whether the host is this machine. `origin` has the form of `origin_read`. */
bool origin_is_loopback(const char *origin);
