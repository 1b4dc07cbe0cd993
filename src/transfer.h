/* A transfer: a request and its response on an easy handle. The handle keeps its configuration for the next request.
 * Pure C. The engine (engine.h) creates, owns and frees transfers with their easy handles. */
#pragma once

#include "head.h"
#include "http2.h"
#include "sink.h"
#include "source.h"

struct engine;

enum transfer_state {
  TRANSFER_IDLE,   /* ready for the next request */
  TRANSFER_MOVING, /* in the multi handle */
  TRANSFER_DONE    /* has a result that the caller has not taken yet */
};

/* The way in which the easy handle sends the body. */
enum transfer_mode { MODE_UNSET, MODE_BODYLESS, MODE_FIELDS, MODE_READ };

enum transfer_end { END_BY_CURL, END_CANCELLED, END_CLOSED, END_FORKED, END_PENDING_TOO_LONG };

enum transfer_want { WANT_NOTHING, WANT_FINISH, WANT_INPUT, WANT_DRAIN, WANT_PROGRESS };

enum transfer_sent { SENT_NO, SENT_MAYBE, SENT_YES };

struct transfer {
  CURL *easy;
  struct engine *engine;
  struct http2_count *streams; /* the engine's count of HTTP/2 streams */
  int id;
  enum transfer_state state;
  struct transfer *next; /* the next idle transfer in the pool */
  bool queued;           /* true: the transfer is in the pool's queue */

  /* The configuration of the easy handle. */
  unsigned long long configured; /* the id of the head; 0: none */
  enum transfer_mode mode;
  long timeout;         /* milliseconds, 0: none */
  long connect_timeout; /* milliseconds */

  /* This request. */
  struct head *head;        /* counted in the field `uses` of the head; NULL: the transfer is not started */
  struct curl_slist secret; /* the secret header line; the transfer owns `data`; NULL in `data`: no secret */
  struct source source;
  struct sink sink;
  long long deadline; /* the deadline of the complete transfer, in microseconds of the engine's clock */
  bool progress;      /* true: the transfer reports progress */
  curl_off_t progress_sent, progress_received; /* the progress that was reported last */
  unsigned attempts;                           /* the number of times that libcurl began to send the request */
  long request_base;                           /* bytes that libcurl sent to a proxy before the first attempt */
  bool repeat_refused;        /* true: libcurl tried to send the request again, and `before_request` refused this */
  bool repeated;              /* true: libcurl has sent the request again */
  bool verbose;               /* true: libcurl's debug texts about the stream are read */
  bool opening;               /* true: libcurl is sending the head, and will call `after_request` */
  struct http2_stream stream; /* the stream of the last attempt */

  /* The end. */
  enum transfer_end end;
  CURLcode code;
  int socket_error; /* the errno of the last failure to open a socket; 0: no failure */
  char error[CURL_ERROR_SIZE];

  void *owner; /* the Lua userdata, or NULL */
};

struct transfer_options {
  long timeout;         /* milliseconds; 0: none */
  long connect_timeout; /* milliseconds */
  size_t max_body;      /* the largest body in bytes that is kept in memory */
  curl_off_t max_size;  /* the largest body in bytes that is written to a file or passed to a sink function */
  const char *save_as;  /* NULL: memory */
  const struct credentials *credentials; /* sent if the head has the origin of the secret; NULL: none */
  bool stream;
  bool progress;
};

struct transfer_settings {
  char *ca_file; /* NULL: the certificates of the system */
  char *proxy;   /* NULL: the proxy of the environment variables */
};

/* Callbacks of libcurl that engine_handles.c defines. */
curl_socket_t engine_open_socket(void *transfer, curlsocktype purpose, struct curl_sockaddr *address);
int engine_close_socket(void *engine, curl_socket_t socket);
int engine_read_text(CURL *easy, curl_infotype type, char *text, size_t size, void *transfer);

/* Records that a new connection was established. */
void engine_set_connected(struct engine *engine);

/* Returns NULL if there is not enough memory. */
struct transfer *transfer_new(struct engine *engine, int id, const struct transfer_settings *settings,
                              struct http2_count *streams);

/* Creates the easy handle of a transfer that has none. Returns false if there is not enough memory. */
bool transfer_open_easy(struct transfer *transfer, const struct transfer_settings *settings);

/* Records that the server refused the stream of the last attempt, so the server did not process the request. */
void transfer_refuse_stream(struct transfer *transfer);

/* Configures an idle transfer for this request, and opens its sink. The source of the transfer must be open. The
 * transfer has a reference to the head until `transfer_release` is called. Returns NULL or a static error text, and
 * sets errno if the text is `transfer_no_file`. */
const char *transfer_configure(struct transfer *transfer, struct head *head, const struct transfer_options *options);

extern const char transfer_no_file[];

/* Ends the transfer: renames its file to the final name, and sets the state to DONE. */
void transfer_complete(struct transfer *transfer, enum transfer_end end, CURLcode code);

/* Releases everything that belongs to the request, and sets the state to IDLE. */
void transfer_release(struct transfer *transfer);

/* Configures the easy handle for a request, and sets only those options that differ from the previous request. Returns
 * false if there is not enough memory. */
bool transfer_set_request(struct transfer *transfer, const struct head *head, const struct transfer_options *options);

/* Wipes and frees the secret header. The transfer must not be in the multi handle. */
void transfer_unset_secret(struct transfer *transfer);

/* Removes the head from the configuration of the easy handle, so that the head can be freed. */
void transfer_unset_head(struct transfer *transfer);

/* The transfer must be idle and not in the multi handle. */
void transfer_free(struct transfer *transfer);

/* Returns whether a transfer in the state DONE has a complete response. */
bool transfer_succeeded(const struct transfer *transfer);

enum transfer_want transfer_wants(const struct transfer *transfer);

/* Returns how many bytes of the request's body libcurl has sent. */
curl_off_t transfer_bytes_sent(const struct transfer *transfer);

/* Returns whether the server may have received the complete request. */
enum transfer_sent transfer_sent(const struct transfer *transfer);

/* A failed transfer in the terms of the transport contract (lua/waba/transport/contract.lua). The strings are
 * static. */
struct failure {
  const char *kind;
  const char *code; /* the library's own code; NULL: `curl_code` is the code */
  const char *path; /* the name of the invalid option, or NULL */
  CURLcode curl_code;
};

#define FAILURE_MESSAGE_SIZE 1024

/* Describes a transfer in the state DONE that has no complete response: failure.c. */
void failure_describe(struct failure *failure, char message[FAILURE_MESSAGE_SIZE], const struct transfer *transfer);
