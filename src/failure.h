/* What went wrong with a transfer, in the words of the transport contract. Pure C. */
#ifndef WABA_FAILURE_H
#define WABA_FAILURE_H

#include "transfer.h"

struct failure {
  const char *kind; /* static */
  const char *word; /* static; NULL: `number` is libcurl's code */
  const char *path; /* static: the invalid option, or NULL */
  int number;
  char message[1024];
};

/* Describes a DONE transfer without a complete response. */
void failure_describe(struct failure *failure, const struct transfer *transfer);

/* The contract's word for certainty about what was sent. */
const char *failure_sent(enum transfer_sent sent);

#endif
