/* Describes failed transfers in the terms of the transport contract (transport/contract.lua). Pure C. */
#pragma once

#include "transfer.h"

/* The strings are static and are not freed. */
struct failure {
  const char *kind;
  const char *code; /* NULL: `curl_code` */
  const char *path; /* the name of the invalid option, or NULL */
  CURLcode curl_code;
};

#define FAILURE_MESSAGE_SIZE 1024

/* Describes a transfer in the state DONE that has no complete response. */
void failure_describe(struct failure *failure, char message[FAILURE_MESSAGE_SIZE], const struct transfer *transfer);
