/* One request and its response on one easy handle, which stays configured from use to use. Pure C.
 * Transfers are made, owned and freed by the engine (engine.h), and so are their easy handles. */
#ifndef WABA_TRANSFER_H
#define WABA_TRANSFER_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "head.h"
#include "sink.h"
#include "source.h"
#include "stream.h"

struct engine;
struct transfer_hooks;

enum transfer_state {
  TRANSFER_IDLE,   /* free for the next request */
  TRANSFER_MOVING, /* libcurl has it */
  TRANSFER_DONE    /* its result waits to be taken */
};

/* How the easy handle was last told to send a body. */
enum transfer_mode { MODE_UNSET, MODE_BODYLESS, MODE_FIELDS, MODE_READ };

/* Ends that libcurl knows nothing of. */
enum transfer_end { END_BY_CURL, END_CANCELLED, END_CLOSED, END_FORKED, END_PENDING_TOO_LONG };

enum transfer_want { WANT_NOTHING, WANT_FINISH, WANT_INPUT, WANT_DRAIN, WANT_PROGRESS };

enum transfer_sent { SENT_NO, SENT_MAYBE, SENT_YES };

struct transfer {
  CURL *easy;
  struct engine *engine;
  const struct transfer_hooks *hooks;
  int id;
  enum transfer_state state;
  struct transfer *next; /* in the engine's list of idle ones */
  bool queued;           /* in the engine's ready queue */

  /* What the easy handle is configured for. */
  unsigned long long configured; /* id of a head; 0: none */
  enum transfer_mode mode;
  long timeout;         /* milliseconds, 0: none */
  long connect_timeout; /* milliseconds */

  /* This request. */
  struct head *head; /* of a started transfer, which holds a reference to it; else NULL */
  struct source source;
  struct sink sink;
  long long deadline; /* microseconds of the engine's clock; of the whole transfer */
  bool progress;      /* wants "progress" */
  curl_off_t progress_sent, progress_received; /* as last told */
  unsigned attempts;                           /* how often libcurl began to send it */
  long request_base;    /* bytes that libcurl sent to a proxy before the first attempt */
  bool repeat_refused;  /* libcurl tried to send the request again, and was stopped */
  bool repeated;        /* libcurl has sent the request again */
  bool verbose;         /* libcurl reports on its stream */
  struct stream stream; /* of the last attempt */

  /* Its end. */
  enum transfer_end end;
  CURLcode code;
  int socket_error; /* errno when no socket could be opened for it; else 0 */
  char error[CURL_ERROR_SIZE];

  /* The Lua userdata; the engine tells it by `engine_options.forsaken` when the transfer vanishes. */
  void *owner;
};

struct transfer_options {
  long timeout;         /* milliseconds; 0: none */
  long connect_timeout; /* milliseconds */
  size_t max_body;     /* bytes of a body that is kept in memory */
  curl_off_t max_size; /* bytes of a body that goes to a file or a reader */
  const char *save_as; /* NULL: memory */
  bool stream;
  bool progress;
};

/* What all easy handles of an engine have in common. */
struct transfer_settings {
  char *ca_file; /* NULL: the system's */
  char *proxy;   /* NULL: as the environment says */
};

/* Callbacks of libcurl that the engine provides. The comments name the argument of each. */
struct transfer_hooks {
  curl_opensocket_callback open_socket;     /* the transfer */
  curl_closesocket_callback close_socket;   /* the engine */
  curl_debug_callback read_text;            /* the transfer */
  void (*connected)(struct engine *engine); /* a new connection is about to be used */
};

/* NULL when there is no memory. */
struct transfer *transfer_new(struct engine *engine, int id,
                              const struct transfer_settings *settings,
                              const struct transfer_hooks *hooks);

/* Creates the easy handle of a transfer that has none. */
bool transfer_equip(struct transfer *transfer, const struct transfer_settings *settings);

/* Records that the server refused the stream of the last attempt: it did not process the request. */
void transfer_refuse_stream(struct transfer *transfer);

/* Configures an idle transfer, whose source is already open, for this request and opens its sink. The
 * transfer takes part in the head (head_take) until `transfer_release`. NULL, or a static text; `errno`
 * is set when it is `transfer_no_file`. */
const char *transfer_configure(struct transfer *transfer, struct head *head,
                               const struct transfer_options *options);

extern const char transfer_no_file[];

/* The transfer has ended: the file is completed or removed, the state is DONE. */
void transfer_complete(struct transfer *transfer, enum transfer_end end, CURLcode code);

/* The result was taken: everything of this request is let go, the state is IDLE. */
void transfer_release(struct transfer *transfer);

/* Forgets the head the easy handle was configured for, so that it may be freed. */
void transfer_unset_head(struct transfer *transfer);

/* The transfer must be idle and out of the multi handle. */
void transfer_free(struct transfer *transfer);

/* Whether a DONE transfer has a complete response. */
bool transfer_succeeded(const struct transfer *transfer);

enum transfer_want transfer_wants(const struct transfer *transfer);

/* How much of the request's body libcurl has taken. */
curl_off_t transfer_bytes_sent(const struct transfer *transfer);

/* Whether the server can have the complete request. */
enum transfer_sent transfer_sent(const struct transfer *transfer);

#endif
