/* The multi handle of the bare programs, with epoll and curl_multi_socket_action. */
#ifndef BARE_DRIVER_H
#define BARE_DRIVER_H

#include "bare.h"

#include <sys/epoll.h>
#include <unistd.h>

#define MAX_CONNECTIONS 16L /* connections per host, as in the library by default */

struct driver {
  CURLM *multi;
  int epoll;
  double due; /* when the timer of libcurl ends; negative: libcurl has set no timer */
};

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *argument, void *known) {
  struct driver *driver = argument;
  struct epoll_event event = {0};
  (void)easy;
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(driver->epoll, EPOLL_CTL_DEL, socket, &event);
    return 0;
  }
  event.events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
  event.data.fd = socket;
  epoll_ctl(driver->epoll, known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event);
  if (known == NULL) curl_multi_assign(driver->multi, socket, driver);
  return 0;
}

static int on_timer(CURLM *multi, long milliseconds, void *argument) {
  struct driver *driver = argument;
  (void)multi;
  driver->due = milliseconds < 0 ? -1 : seconds_of(CLOCK_MONOTONIC) + (double)milliseconds / 1000;
  return 0;
}

/* Waits for sockets or for the timer, and then calls libcurl. */
static void turn(struct driver *driver) {
  struct epoll_event events[64];
  int running, count, i, wait = 1000;
  if (driver->due >= 0) {
    double left = driver->due - seconds_of(CLOCK_MONOTONIC);
    wait = left <= 0 ? 0 : (int)(left * 1000) + 1;
  }
  count = epoll_wait(driver->epoll, events, 64, wait);
  for (i = 0; i < count; i++) {
    int ready = (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                (events[i].events & ~(unsigned)EPOLLOUT ? CURL_CSELECT_IN : 0);
    curl_multi_socket_action(driver->multi, events[i].data.fd, ready, &running);
  }
  if (driver->due >= 0 && seconds_of(CLOCK_MONOTONIC) >= driver->due) {
    driver->due = -1;
    curl_multi_socket_action(driver->multi, CURL_SOCKET_TIMEOUT, 0, &running);
  }
}

/* `idle` is the number of idle connections that stay open. */
static void driver_start(struct driver *driver, long idle) {
  driver->epoll = epoll_create1(EPOLL_CLOEXEC);
  driver->multi = curl_multi_init();
  if (driver->epoll < 0 || driver->multi == NULL) stop("setup", "failed");
  driver->due = -1;
  curl_multi_setopt(driver->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(driver->multi, CURLMOPT_SOCKETDATA, driver);
  curl_multi_setopt(driver->multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(driver->multi, CURLMOPT_TIMERDATA, driver);
  curl_multi_setopt(driver->multi, CURLMOPT_MAX_HOST_CONNECTIONS, MAX_CONNECTIONS);
  curl_multi_setopt(driver->multi, CURLMOPT_MAXCONNECTS, idle);
}

#endif
