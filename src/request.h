/* What may stand in the first line of a request, whoever sends it. Pure C without state. */
#ifndef WABA_REQUEST_H
#define WABA_REQUEST_H

#include <stddef.h>

/* NULL if `method` may be a request's method, else what is wrong. */
const char *request_method_fault(const char *method, size_t length);

/* NULL if `target` may stand in an HTTP/1.1 request line (path and query), else what is wrong. */
const char *request_target_fault(const char *target, size_t length);

#endif
