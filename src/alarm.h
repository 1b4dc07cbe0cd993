/* A descriptor that becomes readable at a given time, for event loops that know descriptors but no
 * timers: timerfd on Linux, kqueue on BSD and macOS. Pure C. The alarm owns its descriptor. */
#ifndef WABA_ALARM_H
#define WABA_ALARM_H

#include <stdbool.h>
#include <sys/types.h>

struct alarm {
  int descriptor; /* -1: closed */
  pid_t process;  /* that opened it */
};

/* Makes an unused struct closed. */
void alarm_init(struct alarm *alarm);

/* Opens one that is closed: never readable yet. After a fork the child gets a new one. False, with errno,
 * when the system refuses or has none. */
bool alarm_open(struct alarm *alarm);

/* Readable after these microseconds, from now; never, if negative. Until then it is not readable. */
void alarm_set(struct alarm *alarm, long long microseconds);

void alarm_close(struct alarm *alarm);

#endif
