/* The common code of the bare programs, which send messages with libcurl alone: arguments, an easy handle with the safe
 * settings of the library, and the measurement. The bare programs read no JSON and check nothing. The benchmarks compare
 * the library with the bare programs. */
#ifndef BARE_H
#define BARE_H

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct job {
  const char *url;
  const char *ca_file;
  const char *body;
  size_t size;
  long in_flight;           /* the number of concurrent requests */
  long warm_up;             /* messages before the measurement */
  long count;               /* messages in the measurement */
  int unsafe;               /* uses CURLOPT_POSTFIELDS; libcurl can then send a message twice */
  struct curl_slist *lines; /* the headers of each request */
  long numbers;             /* the number of API keys that the messages use in turn; 0: one key */
  struct curl_slist **heads;
};

/* One message in flight. */
struct message {
  CURL *easy;
  const struct job *job;
  size_t position; /* bytes of the body that were sent */
  char answer[1024];
  size_t length;
};

static void stop(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

static struct curl_slist *head_read(int argc, char **argv) {
  struct curl_slist *lines = curl_slist_append(NULL, "Expect:");
  int i;
  for (i = 7; i < argc; i++) lines = curl_slist_append(lines, argv[i]);
  return lines;
}

/* Makes the headers for each API key: the headers of the command line, and the header with the key. */
static void heads_read(struct job *job, int argc, char **argv) {
  char line[64];
  long i;
  job->heads = calloc((size_t)job->numbers, sizeof *job->heads);
  if (job->heads == NULL) stop("numbers", "no memory");
  for (i = 0; i < job->numbers; i++) {
    snprintf(line, sizeof line, "D360-API-KEY: benchmark-key-of-number-%08ld", i);
    job->heads[i] = curl_slist_append(head_read(argc, argv), line);
  }
}

/* Arguments: [--unsafe] [--numbers=N] url ca_file body in_flight warm_up count header... */
static inline struct job job_read(int argc, char **argv) {
  struct job job = {0};
  if (argc > 1 && strcmp(argv[1], "--unsafe") == 0) {
    job.unsafe = 1;
    argc--, argv++;
  }
  if (argc > 1 && strncmp(argv[1], "--numbers=", 10) == 0) {
    job.numbers = strtol(argv[1] + 10, NULL, 10);
    argc--, argv++;
  }
  if (argc < 7) stop("usage", "[--unsafe] [--numbers=N] url ca_file body in_flight warm_up count header...");
  job.url = argv[1];
  job.ca_file = argv[2];
  job.body = argv[3];
  job.size = strlen(argv[3]);
  job.in_flight = strtol(argv[4], NULL, 10);
  job.warm_up = strtol(argv[5], NULL, 10);
  job.count = strtol(argv[6], NULL, 10);
  job.lines = head_read(argc, argv);
  if (job.numbers > 0) heads_read(&job, argc, argv);
  return job;
}

static size_t read_body(char *buffer, size_t size, size_t count, void *argument) {
  struct message *message = argument;
  size_t room = size * count, left = message->job->size - message->position;
  size_t taken = left < room ? left : room;
  memcpy(buffer, message->job->body + message->position, taken);
  message->position += taken;
  return taken;
}

/* Refuses to rewind a body. Otherwise libcurl would repeat a message when a reused connection breaks. */
static int refuse_seek(void *argument, curl_off_t offset, int origin) {
  (void)argument, (void)offset, (void)origin;
  return CURL_SEEKFUNC_FAIL;
}

static size_t write_answer(char *bytes, size_t size, size_t count, void *argument) {
  struct message *message = argument;
  size_t length = size * count;
  if (length > sizeof message->answer - message->length) return 0;
  memcpy(message->answer + message->length, bytes, length);
  message->length += length;
  return length;
}

/* Sets all options once, because the handle is used for all messages. */
static void message_prepare(struct message *message, const struct job *job) {
  CURL *easy = curl_easy_init();
  if (easy == NULL) stop("curl_easy_init", "failed");
  message->easy = easy;
  message->job = job;
  curl_easy_setopt(easy, CURLOPT_PRIVATE, message);
  curl_easy_setopt(easy, CURLOPT_URL, job->url);
  curl_easy_setopt(easy, CURLOPT_CAINFO, job->ca_file);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 10000L);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 30000L);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, job->lines);
  curl_easy_setopt(easy, CURLOPT_POST, 1L);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)job->size);
  if (job->unsafe) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, job->body);
  } else {
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, read_body);
    curl_easy_setopt(easy, CURLOPT_READDATA, message);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, refuse_seek);
  }
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, write_answer);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, message);
}

static void message_rewind(struct message *message) {
  message->position = 0;
  message->length = 0;
}

static void message_check(const struct message *message, CURLcode code) {
  long status = 0;
  if (code != CURLE_OK) stop(message->job->url, curl_easy_strerror(code));
  curl_easy_getinfo(message->easy, CURLINFO_RESPONSE_CODE, &status);
  if (status != 201) stop(message->job->url, "the answer is not 201");
}

static double seconds_of(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

struct measurement {
  double cpu, wall;
};

static inline struct measurement measurement_start(void) {
  struct measurement measurement;
  measurement.cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
  measurement.wall = seconds_of(CLOCK_MONOTONIC);
  return measurement;
}

/* Prints the only line of output: seconds of CPU (user and system) and of elapsed time. */
static inline void measurement_print(struct measurement start) {
  double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - start.cpu;
  double wall = seconds_of(CLOCK_MONOTONIC) - start.wall;
  printf("%.6f %.6f\n", cpu, wall);
}

#endif
