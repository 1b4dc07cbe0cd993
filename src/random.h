/* Random bits of the operating system. Pure C without state. */
#ifndef WABA_RANDOM_H
#define WABA_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

/* Returns false, with errno, if the system has no random numbers. */
bool random_bits(uint64_t *bits);

#endif
