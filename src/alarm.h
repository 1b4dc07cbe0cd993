/* A descriptor that becomes readable at a given time, for event loops without timers: timerfd on Linux, kqueue on BSD
 * and macOS. Pure C. The alarm owns its descriptor. */
#ifndef WABA_ALARM_H
#define WABA_ALARM_H

#include <stdbool.h>
#include <sys/types.h>

struct alarm {
  int descriptor; /* -1: closed */
  pid_t process;  /* that opened the descriptor */
};

/* Initialises a struct as closed. */
void alarm_init(struct alarm *alarm);

/* Opens a closed alarm, or in a child process a new descriptor for it. It is not readable before `alarm_set`. Returns
 * false, with errno, when the system refuses or has no such descriptors. */
bool alarm_open(struct alarm *alarm);

/* The descriptor becomes readable in this time from now; never, if negative. */
void alarm_set(struct alarm *alarm, long long microseconds);

void alarm_close(struct alarm *alarm);

#endif
