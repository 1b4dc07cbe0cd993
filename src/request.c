/* What an HTTP request is made of, whoever sends it: origin, credentials, Basic, Retry-After, the head. */
#include "request.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "text.h"

const char credentials_no_memory[] = "not enough memory";

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static char lower(char c) { return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); }

static const char *url_bytes_fault(const char *url, size_t length) {
  size_t i;
  for (i = 0; i < length; i++) {
    unsigned char c = (unsigned char)url[i];
    if (c <= 0x20 || c == 0x7F) return "the URL has white space or a control character";
    if (c > 0x7F) return "the URL has a character that is not percent-encoded";
    if (c == '\\') return "the URL has a backslash";
  }
  return NULL;
}

/* What the host of a URL turned out to be. */
struct host {
  char text[256];
  bool loopback;
};

/* "[...]": the address is written again in its usual form. */
static const char *read_ipv6(const char *text, size_t length, struct host *host) {
  struct in6_addr address;
  char plain[INET6_ADDRSTRLEN];
  if (length - 2 >= sizeof plain) return "the URL's IPv6 address is not valid";
  memcpy(plain, text + 1, length - 2);
  plain[length - 2] = '\0';
  if (inet_pton(AF_INET6, plain, &address) != 1) return "the URL's IPv6 address is not valid";
  host->text[0] = '[';
  if (inet_ntop(AF_INET6, &address, host->text + 1, INET6_ADDRSTRLEN) == NULL) {
    return "the URL's IPv6 address is not valid";
  }
  strcat(host->text, "]");
  host->loopback = IN6_IS_ADDR_LOOPBACK(&address) != 0;
  return NULL;
}

/* Four decimal numbers, none with a leading zero. Other spellings of an address ("127.1",
 * "0x7f000001") are refused: what they mean depends on who reads them. */
static bool is_ipv4(const char *text, size_t length) {
  int parts = 0;
  size_t at = 0;
  for (;;) {
    int number = 0;
    size_t start = at;
    while (at < length && is_digit(text[at]) && at - start < 3) {
      number = number * 10 + (text[at++] - '0');
    }
    if (at == start || number > 255 || (text[start] == '0' && at - start > 1)) return false;
    parts++;
    if (at == length) return parts == 4;
    if (text[at++] != '.' || parts == 4) return false;
  }
}

/* Whether the last label is a number, so that resolvers would take the name for an address. */
static bool ends_in_number(const char *text, size_t length) {
  size_t start = length;
  size_t i;
  while (start > 0 && text[start - 1] != '.') start--;
  if (length - start >= 2 && text[start] == '0' && text[start + 1] == 'x') return true;
  for (i = start; i < length; i++) {
    if (!is_digit(text[i])) return false;
  }
  return true;
}

static const char *read_name(const char *text, size_t length, struct host *host) {
  size_t i;
  if (length > 253) return "the URL's host is too long";
  for (i = 0; i < length; i++) {
    char c = lower(text[i]);
    if (!is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-' && c != '.' && c != '_') {
      return "the URL's host has a character that is not allowed there";
    }
    if (c == '.' && (i == 0 || i + 1 == length || text[i - 1] == '.')) {
      return "the URL's host has an empty label";
    }
    host->text[i] = c;
  }
  host->text[length] = '\0';
  host->loopback = strcmp(host->text, "localhost") == 0;
  if (ends_in_number(host->text, length)) {
    if (!is_ipv4(host->text, length)) return "the URL's IPv4 address is not valid";
    host->loopback = strncmp(host->text, "127.", 4) == 0;
  }
  return NULL;
}

static const char *read_port(const char *text, size_t length, long *port) {
  size_t i;
  *port = 0;
  for (i = 0; i < length; i++) {
    if (!is_digit(text[i]) || i == 5) {
      *port = 0;
      break;
    }
    *port = *port * 10 + (text[i] - '0');
  }
  return *port >= 1 && *port <= 65535 ? NULL : "the URL's port is not a number from 1 to 65535";
}

static void append_number(char *text, long number) {
  char digits[8];
  size_t count = 0;
  text += strlen(text);
  do {
    digits[count++] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  while (count > 0) *text++ = digits[--count];
  *text = '\0';
}

/* Splits "host" or "host:port". */
static const char *read_authority(const char *text, size_t length, struct host *host, long *port) {
  size_t host_length = 0;
  const char *fault;
  if (memchr(text, '@', length) != NULL) return "the URL has user information";
  if (length > 0 && text[0] == '[') {
    const char *end = memchr(text, ']', length);
    if (end == NULL) return "the URL's IPv6 address is not valid";
    host_length = (size_t)(end - text) + 1;
    fault = read_ipv6(text, host_length, host);
  } else {
    while (host_length < length && text[host_length] != ':') host_length++;
    if (host_length == 0) return "the URL has no host";
    fault = read_name(text, host_length, host);
  }
  if (fault != NULL || host_length == length) return fault;
  if (text[host_length] != ':') return "the URL's IPv6 address is not valid";
  return read_port(text + host_length + 1, length - host_length - 1, port);
}

const char *request_origin(const char *url, size_t length, char origin[REQUEST_ORIGIN_SIZE]) {
  struct host host;
  bool secure = length >= 8 && text_equals_ignoring_case(url, 8, "https://", 8);
  bool plain = length >= 7 && text_equals_ignoring_case(url, 7, "http://", 7);
  const long default_port = secure ? 443 : 80;
  long port = default_port;
  size_t start = secure ? 8 : 7;
  size_t end = start;
  const char *fault = url_bytes_fault(url, length);
  if (fault != NULL) return fault;
  if (!secure && !plain) return "the URL does not begin with https://";
  while (end < length && url[end] != '/' && url[end] != '?' && url[end] != '#') end++;
  fault = read_authority(url + start, end - start, &host, &port);
  if (fault != NULL) return fault;
  if (plain && !host.loopback) return "plain http:// is allowed to this machine only; use https://";
  strcpy(origin, secure ? "https://" : "http://");
  strcat(origin, host.text);
  if (port != default_port) {
    strcat(origin, ":");
    append_number(origin, port);
  }
  return NULL;
}

const char *credentials_fill(struct credentials *credentials, const char *name, size_t name_length,
                             const char *value, size_t value_length, const char *origin,
                             size_t origin_length) {
  char plain_origin[REQUEST_ORIGIN_SIZE];
  const char *fault = text_header_name_fault(name, name_length);
  if (fault == NULL) fault = text_header_value_fault(value, value_length);
  if (fault == NULL && value_length == 0) fault = "the secret is empty";
  if (fault == NULL) fault = request_origin(origin, origin_length, plain_origin);
  if (fault != NULL) return fault;
  credentials->line_length = name_length + 2 + value_length;
  credentials->size = credentials->line_length + 1 + strlen(plain_origin) + 1;
  credentials->memory = malloc(credentials->size);
  if (credentials->memory == NULL) {
    credentials_clear(credentials);
    return credentials_no_memory;
  }
  credentials->line = credentials->memory;
  memcpy(credentials->line, name, name_length);
  memcpy(credentials->line + name_length, ": ", 2);
  credentials->name_length = name_length;
  credentials->value = credentials->line + name_length + 2;
  memcpy(credentials->value, value, value_length);
  credentials->value[value_length] = '\0';
  credentials->value_length = value_length;
  credentials->origin = credentials->value + value_length + 1;
  strcpy(credentials->origin, plain_origin);
  return NULL;
}

void credentials_clear(struct credentials *credentials) {
  static const struct credentials closed;
  if (credentials->memory != NULL) {
    text_wipe(credentials->memory, credentials->size);
    free(credentials->memory);
  }
  *credentials = closed;
}

bool credentials_belong_to(const struct credentials *credentials, const char *origin) {
  return credentials->memory != NULL && strcmp(credentials->origin, origin) == 0;
}

/* The bytes RFC 7617 forbids in a user and a password. */
static bool has_control(const char *text, size_t length) {
  size_t i;
  for (i = 0; i < length; i++) {
    if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F) return true;
  }
  return false;
}

size_t request_basic_size(size_t user_length, size_t password_length) {
  return 6 + text_base64_size(user_length + 1 + password_length);
}

const char *request_basic(const char *user, size_t user_length, const char *password,
                          size_t password_length, char *out) {
  const size_t length = user_length + 1 + password_length;
  char *pair;
  if (memchr(user, ':', user_length) != NULL) return "the user has a colon";
  if (has_control(user, user_length)) return "the user has a control character";
  if (has_control(password, password_length)) return "the password has a control character";
  memcpy(out, "Basic ", 6);
  /* The pair stands at the end of the room for its base64 form, which is written from the start: what
   * is written never catches up with what is still to be read. */
  pair = out + 6 + text_base64_size(length) - length;
  memcpy(pair, user, user_length);
  pair[user_length] = ':';
  memcpy(pair + user_length + 1, password, password_length);
  text_base64(pair, length, out + 6);
  return NULL;
}

/* A cursor over an HTTP date. Each step returns false when the text is something else. */
struct reader {
  const char *at;
  const char *end;
};

static bool read_word(struct reader *reader, const char *word) {
  const size_t length = strlen(word);
  if ((size_t)(reader->end - reader->at) < length) return false;
  if (!text_equals_ignoring_case(reader->at, length, word, length)) return false;
  reader->at += length;
  return true;
}

static bool read_digits(struct reader *reader, int count, int *number) {
  *number = 0;
  while (count-- > 0) {
    if (reader->at == reader->end || !is_digit(*reader->at)) return false;
    *number = *number * 10 + (*reader->at++ - '0');
  }
  return true;
}

struct date {
  int year, month, day, hour, minute, second; /* month from 1 */
};

static bool read_month(struct reader *reader, struct date *date) {
  static const char *const names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  for (date->month = 1; date->month <= 12; date->month++) {
    if (read_word(reader, names[date->month - 1])) return true;
  }
  return false;
}

static bool read_time(struct reader *reader, struct date *date) {
  return read_digits(reader, 2, &date->hour) && read_word(reader, ":") &&
         read_digits(reader, 2, &date->minute) && read_word(reader, ":") &&
         read_digits(reader, 2, &date->second);
}

/* After the weekday: "06 Nov 1994 08:49:37 GMT", its form since RFC 1123. */
static bool read_modern(struct reader reader, struct date *date) {
  return read_word(&reader, ", ") && read_digits(&reader, 2, &date->day) &&
         read_word(&reader, " ") && read_month(&reader, date) && read_word(&reader, " ") &&
         read_digits(&reader, 4, &date->year) && read_word(&reader, " ") &&
         read_time(&reader, date) && read_word(&reader, " GMT") && reader.at == reader.end;
}

/* After the weekday: "06-Nov-94 08:49:37 GMT", the form of RFC 850. */
static bool read_rfc850(struct reader reader, struct date *date) {
  return read_word(&reader, ", ") && read_digits(&reader, 2, &date->day) &&
         read_word(&reader, "-") && read_month(&reader, date) && read_word(&reader, "-") &&
         read_digits(&reader, 2, &date->year) && read_word(&reader, " ") &&
         read_time(&reader, date) && read_word(&reader, " GMT") && reader.at == reader.end;
}

/* After the weekday: "Nov  6 08:49:37 1994", the form of asctime. */
static bool read_asctime(struct reader reader, struct date *date) {
  return read_word(&reader, " ") && read_month(&reader, date) && read_word(&reader, " ") &&
         read_digits(&reader, read_word(&reader, " ") ? 1 : 2, &date->day) &&
         read_word(&reader, " ") && read_time(&reader, date) && read_word(&reader, " ") &&
         read_digits(&reader, 4, &date->year) && reader.at == reader.end;
}

/* Days between 1970-01-01 and a date of the Gregorian calendar. */
static long long days_since_epoch(int year, int month, int day) {
  static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  const long long past = year - 1; /* complete years since the year 1 */
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  const long long days = past * 365 + past / 4 - past / 100 + past / 400;
  return days + before[month - 1] + (leap && month > 2) + day - 1 - 719162;
}

static bool is_date(const struct date *date) {
  static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return date->year >= 1 && date->day >= 1 && date->day <= days[date->month - 1] &&
         date->hour <= 23 && date->minute <= 59 && date->second <= 60;
}

/* A year of two digits means the one that is at most 50 years ahead (RFC 9110, section 5.6.7). `now`
 * lies in the years 1970 to 9999. */
static int complete_year(int two_digits, long long now) {
  const int present = (int)(1970 + now / 31556952);
  int year = present / 100 * 100 + two_digits;
  if (year > present + 50) return year - 100;
  if (year <= present - 50) return year + 100;
  return year;
}

static bool read_date(const char *text, size_t length, long long now, long long *time) {
  static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                     "Thursday", "Friday", "Saturday"};
  struct date date;
  size_t i;
  for (i = 0; i < 7; i++) {
    char name[4] = {days[i][0], days[i][1], days[i][2], '\0'};
    struct reader brief = {text, text + length};
    struct reader full = {text, text + length};
    bool found = false;
    if (read_word(&brief, name)) found = read_modern(brief, &date) || read_asctime(brief, &date);
    if (!found && read_word(&full, days[i]) && read_rfc850(full, &date)) {
      date.year = complete_year(date.year, now);
      found = true;
    }
    if (found && is_date(&date)) {
      *time = days_since_epoch(date.year, date.month, date.day) * 86400 + date.hour * 3600 +
              date.minute * 60 + date.second;
      return true;
    }
  }
  return false;
}

static bool read_seconds(const char *text, size_t length, long *seconds) {
  size_t i;
  *seconds = 0;
  for (i = 0; i < length; i++) {
    if (!is_digit(text[i])) return false;
    if (*seconds <= REQUEST_RETRY_AFTER_MAX) *seconds = *seconds * 10 + (text[i] - '0');
  }
  return length > 0;
}

bool request_retry_after(const char *value, size_t length, long long now, long *seconds) {
  const long long end_of_9999 = 253402300799;
  long long time;
  if (now < 0) now = 0;
  if (now > end_of_9999) now = end_of_9999;
  while (length > 0 && (*value == ' ' || *value == '\t')) {
    value++;
    length--;
  }
  while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t')) length--;
  if (!read_seconds(value, length, seconds)) {
    if (!read_date(value, length, now, &time)) return false;
    if (time > now + REQUEST_RETRY_AFTER_MAX) time = now + REQUEST_RETRY_AFTER_MAX;
    *seconds = time > now ? (long)(time - now) : 0;
  }
  if (*seconds > REQUEST_RETRY_AFTER_MAX) *seconds = REQUEST_RETRY_AFTER_MAX;
  return true;
}

const char *request_method_fault(const char *method, size_t length) {
  return text_header_name_fault(method, length) == NULL ? NULL : "the method is not a token";
}

const char *request_target_fault(const char *target, size_t length) {
  size_t i;
  if (length == 0 || target[0] != '/') return "the request's target does not begin with a slash";
  for (i = 0; i < length; i++) {
    unsigned char c = (unsigned char)target[i];
    if (c <= 0x20 || c >= 0x7F || c == '\\' || c == '#') {
      return "the request's target has a character that is not percent-encoded";
    }
  }
  return NULL;
}
