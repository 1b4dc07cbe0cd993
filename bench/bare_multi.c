/* The bare program with one multi handle and epoll: sends many messages concurrently. */
#include "bare_driver.h"

#define IN_FLIGHT_MAX 1024

static void start_message(struct driver *driver, struct message *message) {
  static long next;
  const struct job *job = message->job;
  message_rewind(message);
  if (job->numbers > 0) curl_easy_setopt(message->easy, CURLOPT_HTTPHEADER, job->heads[next++ % job->numbers]);
  curl_multi_add_handle(driver->multi, message->easy);
}

/* Returns the number of finished messages. Starts the next message with the handle of a finished message. */
static long collect(struct driver *driver, long *to_start) {
  struct message *message;
  CURLMsg *ended;
  long count = 0;
  int left;
  while ((ended = curl_multi_info_read(driver->multi, &left)) != NULL) {
    CURLcode code = ended->data.result;
    curl_easy_getinfo(ended->easy_handle, CURLINFO_PRIVATE, (char **)&message);
    curl_multi_remove_handle(driver->multi, message->easy);
    message_check(message, code);
    count++;
    if (*to_start > 0) {
      --*to_start;
      start_message(driver, message);
    }
  }
  return count;
}

static void send_messages(struct driver *driver, struct message *messages, long count) {
  long to_start = count, i;
  for (i = 0; i < messages->job->in_flight && to_start > 0; i++, to_start--) start_message(driver, &messages[i]);
  while (count > 0) {
    turn(driver);
    count -= collect(driver, &to_start);
  }
}

int main(int argc, char **argv) {
  static struct message messages[IN_FLIGHT_MAX];
  struct job job = job_read(argc, argv);
  struct driver driver = {0};
  struct measurement start;
  int i;
  if (job.in_flight > IN_FLIGHT_MAX) stop("in_flight", "too many");
  curl_global_init(CURL_GLOBAL_DEFAULT);
  driver_start(&driver, job.in_flight);
  for (i = 0; i < job.in_flight; i++) message_prepare(&messages[i], &job);
  send_messages(&driver, messages, job.warm_up);
  start = measurement_start();
  send_messages(&driver, messages, job.count);
  measurement_print(start);
  for (i = 0; i < job.in_flight; i++) curl_easy_cleanup(messages[i].easy);
  curl_multi_cleanup(driver.multi);
  curl_slist_free_all(job.lines);
  close(driver.epoll);
  return 0;
}
