/* Describes failed transfers in the terms of the transport contract (transport/contract.lua). Pure C. */
#ifndef WABA_FAILURE_H
#define WABA_FAILURE_H

#include "transfer.h"

/* The strings are static. */
struct failure {
  const char *kind;
  const char *code; /* NULL: `curl_code` */
  const char *path; /* the invalid option, or NULL */
  CURLcode curl_code;
};

#define FAILURE_MESSAGE_SIZE 1024

/* Describes a DONE transfer without a complete response. */
void failure_describe(struct failure *failure, char message[FAILURE_MESSAGE_SIZE], const struct transfer *transfer);

#endif
