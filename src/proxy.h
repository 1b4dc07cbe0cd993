/* The URL of a proxy, which may hold a user name and a password. Pure C. */
#ifndef WABA_PROXY_H
#define WABA_PROXY_H

/* Returns NULL when libcurl can use the URL, else a static message that contains no part of the URL. */
const char *proxy_check(const char *url);

#endif
