/* The bare program with one easy handle: sends messages one after the other. */
#include "bare.h"

static void send_messages(struct message *message, long count) {
  for (; count > 0; count--) {
    message_rewind(message);
    message_check(message, curl_easy_perform(message->easy));
  }
}

int main(int argc, char **argv) {
  struct job job = job_read(argc, argv);
  struct message message = {0};
  struct measurement start;
  curl_global_init(CURL_GLOBAL_DEFAULT);
  message_prepare(&message, &job);
  send_messages(&message, job.warm_up);
  start = measurement_start();
  send_messages(&message, job.count);
  measurement_print(start);
  curl_easy_cleanup(message.easy);
  curl_slist_free_all(job.lines);
  return 0;
}
