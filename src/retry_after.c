/* Retry-After, and the HTTP dates it may be: see retry_after.h. */
#include "retry_after.h"

#include <string.h>

#include "text.h"

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
    if (reader->at == reader->end || !text_is_digit(*reader->at)) return false;
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
    if (!text_is_digit(text[i])) return false;
    if (*seconds <= RETRY_AFTER_MAX) *seconds = *seconds * 10 + (text[i] - '0');
  }
  return length > 0;
}

/* `now` must be in the years 1970 to 9999. */
static long long bounded(long long now) {
  const long long end_of_9999 = 253402300799;
  return now < 0 ? 0 : now > end_of_9999 ? end_of_9999 : now;
}

static void trim(const char **value, size_t *length) {
  while (*length > 0 && (**value == ' ' || **value == '\t')) {
    (*value)++;
    (*length)--;
  }
  while (*length > 0 && ((*value)[*length - 1] == ' ' || (*value)[*length - 1] == '\t')) (*length)--;
}

bool retry_after_date(const char *value, size_t length, long long now, long long *time) {
  trim(&value, &length);
  return read_date(value, length, bounded(now), time);
}

bool retry_after_read(const char *value, size_t length, long long now, long *seconds) {
  long long time;
  trim(&value, &length);
  if (!read_seconds(value, length, seconds)) {
    now = bounded(now);
    if (!read_date(value, length, now, &time)) return false;
    if (time > now + RETRY_AFTER_MAX) time = now + RETRY_AFTER_MAX;
    *seconds = time > now ? (long)(time - now) : 0;
  }
  if (*seconds > RETRY_AFTER_MAX) *seconds = RETRY_AFTER_MAX;
  return true;
}
