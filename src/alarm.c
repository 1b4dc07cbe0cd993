/* Alarms: see alarm.h. */
#include "alarm.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__)

#include <sys/timerfd.h>
#include <time.h>

static int system_open(void) {
  return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
}

static void system_set(int descriptor, long long microseconds) {
  struct itimerspec setting;
  memset(&setting, 0, sizeof setting); /* all zeros: never */
  if (microseconds >= 0) {
    setting.it_value.tv_sec = (time_t)(microseconds / 1000000);
    setting.it_value.tv_nsec = (long)(microseconds % 1000000) * 1000 + 1;
  }
  timerfd_settime(descriptor, 0, &setting, NULL);
}

#define CHILD_INHERITS true

#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || \
    defined(__DragonFly__)

#include <fcntl.h>

#include <sys/event.h>
#include <sys/time.h>

static int system_open(void) {
  int descriptor = kqueue();
  if (descriptor >= 0) fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  return descriptor;
}

static void system_set(int descriptor, long long microseconds) {
  struct kevent change;
  EV_SET(&change, 1, EVFILT_TIMER, EV_DELETE, 0, 0, 0);
  kevent(descriptor, &change, 1, NULL, 0, NULL); /* fails without a timer */
  if (microseconds < 0) return;
  EV_SET(&change, 1, EVFILT_TIMER, EV_ADD | EV_ONESHOT, 0, (microseconds + 999) / 1000, 0);
  kevent(descriptor, &change, 1, NULL, 0, NULL);
}

#define CHILD_INHERITS false

#else

static int system_open(void) {
  errno = ENOSYS;
  return -1;
}

static void system_set(int descriptor, long long microseconds) {
  (void)descriptor, (void)microseconds;
}

#define CHILD_INHERITS false

#endif

void alarm_init(struct alarm *alarm) {
  alarm->descriptor = -1;
  alarm->process = 0;
}

bool alarm_open(struct alarm *alarm) {
  if (alarm->descriptor >= 0 && alarm->process == getpid()) return true;
  alarm_close(alarm);
  alarm->descriptor = system_open();
  alarm->process = getpid();
  return alarm->descriptor >= 0;
}

void alarm_set(struct alarm *alarm, long long microseconds) {
  system_set(alarm->descriptor, microseconds);
}

void alarm_close(struct alarm *alarm) {
  if (alarm->descriptor >= 0 && (CHILD_INHERITS || alarm->process == getpid())) {
    close(alarm->descriptor);
  }
  alarm_init(alarm);
}
