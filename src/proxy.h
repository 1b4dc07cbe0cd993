/* The URL of a proxy, which may hold a user name and a password. Pure C. */
#ifndef WABA_PROXY_H
#define WABA_PROXY_H

/* NULL when libcurl can use the URL; else a static text that says what is wrong, without any part of it. */
const char *proxy_check(const char *url);

#endif
