/* Reads Retry-After and HTTP dates: see retry_after.h. */
#include "retry_after.h"

#include <string.h>

#include "text.h"

struct date {
  int year, month, day, hour, minute, second; /* month from 1 */
};

/* A position in an HTTP date. */
struct reader {
  const char *at, *end;
  long long now;
};

static bool read_word(struct reader *reader, const char *word, size_t length) {
  if ((size_t)(reader->end - reader->at) < length) return false;
  if (!text_equals_ignoring_case(reader->at, length, word, length)) return false;
  reader->at += length;
  return true;
}

/* Returns the position of the name in the list, from 1, or 0. */
static int read_name(struct reader *reader, const char *const *names, int count) {
  for (int i = 0; i < count; i++) {
    if (read_word(reader, names[i], strlen(names[i]))) return i + 1;
  }
  return 0;
}

static bool read_digits(struct reader *reader, int count, int *number) {
  *number = 0;
  while (count-- > 0) {
    if (reader->at == reader->end || !text_is_digit(*reader->at)) return false;
    *number = *number * 10 + (*reader->at++ - '0');
  }
  return true;
}

/* A year of two digits is at most 50 years in the future (RFC 9110, section 5.6.7). `now` must be
 * in the years 1970 to 9999. */
static int complete_year(int two_digits, long long now) {
  const int present = (int)(1970 + now / 31556952);
  int year = present / 100 * 100 + two_digits;
  if (year > present + 50) return year - 100;
  if (year <= present - 50) return year + 100;
  return year;
}

/* The forms of an HTTP date: RFC 9110, RFC 850, asctime. %a and %A stand for the short and the full weekday, %d for
 * the day, %e for the day that may begin with a space, %b for the month, %Y and %y for the year of four and of two
 * digits. */
static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"};

static bool read_part(struct reader *reader, char part, struct date *date) {
  static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static const char *const full_days[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
  static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  switch (part) {
  case 'a': return read_name(reader, days, 7) != 0;
  case 'A': return read_name(reader, full_days, 7) != 0;
  case 'b': return (date->month = read_name(reader, months, 12)) != 0;
  case 'd': return read_digits(reader, 2, &date->day);
  case 'e': return read_digits(reader, read_word(reader, " ", 1) ? 1 : 2, &date->day);
  case 'H': return read_digits(reader, 2, &date->hour);
  case 'M': return read_digits(reader, 2, &date->minute);
  case 'S': return read_digits(reader, 2, &date->second);
  case 'Y': return read_digits(reader, 4, &date->year);
  default:
    if (!read_digits(reader, 2, &date->year)) return false;
    date->year = complete_year(date->year, reader->now);
    return true;
  }
}

static bool read_form(struct reader reader, const char *form, struct date *date) {
  for (; *form != '\0'; form++) {
    if (!(*form == '%' ? read_part(&reader, *++form, date) : read_word(&reader, form, 1))) return false;
  }
  return reader.at == reader.end;
}

/* Returns the days between 1970-01-01 and a date of the Gregorian calendar. */
static long long days_since_epoch(int year, int month, int day) {
  static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  const long long past = year - 1; /* the complete years since the year 1 */
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  const long long days = past * 365 + past / 4 - past / 100 + past / 400;
  return days + before[month - 1] + (leap && month > 2) + day - 1 - 719162;
}

static bool is_date(const struct date *date) {
  static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return date->year >= 1 && date->day >= 1 && date->day <= days[date->month - 1] &&
         date->hour <= 23 && date->minute <= 59 && date->second <= 60;
}

static bool read_date(const char *text, size_t length, long long now, long long *time) {
  const struct reader reader = {text, text + length, now};
  struct date date = {0, 1, 1, 0, 0, 0};
  for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
    if (!read_form(reader, forms[i], &date) || !is_date(&date)) continue;
    *time = days_since_epoch(date.year, date.month, date.day) * 86400 + date.hour * 3600 +
            date.minute * 60 + date.second;
    return true;
  }
  return false;
}

static bool read_seconds(const char *text, size_t length, long *seconds) {
  *seconds = 0;
  for (size_t i = 0; i < length; i++) {
    if (!text_is_digit(text[i])) return false;
    if (*seconds <= RETRY_AFTER_MAX) *seconds = *seconds * 10 + (text[i] - '0');
  }
  return length > 0;
}

/* Limits the time to the years 1970 to 9999. */
static long long bounded(long long now) {
  const long long end_of_9999 = 253402300799;
  return now < 0 ? 0 : now > end_of_9999 ? end_of_9999 : now;
}

static void trim(const char **value, size_t *length) {
  for (; *length > 0 && text_is_blank(**value); --*length) ++*value;
  while (*length > 0 && text_is_blank((*value)[*length - 1])) --*length;
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
