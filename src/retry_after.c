/* Reads the value of the header Retry-After: seconds, or an HTTP date in any of its three forms. */
#include <time.h>

#include "compat.h"
#include "core.h"
#include "text.h"

/* The largest result in seconds. */
#define RETRY_AFTER_MAX 3600

/* The last second of the year 9999. */
#define TIME_MAX 253402300799LL

struct date {
  int year, month, day, hour, minute, second; /* January is month 1 */
};

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

/* Reads one of the names, and returns its position in the list, from 1. Returns 0 if no name follows. */
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

/* A year of two digits is at most 50 years in the future (RFC 9110, section 5.6.7). `now` is in the years 1970 to
 * 9999. */
static int complete_year(int two_digits, long long now) {
  const int present = (int)(1970 + now / 31556952), year = present / 100 * 100 + two_digits;
  return year > present + 50 ? year - 100 : year <= present - 50 ? year + 100 : year;
}

/* The forms of an HTTP date: RFC 9110, RFC 850, asctime. %a and %A are the short and the full weekday, %d the day, %e
 * the day with a space instead of a leading zero, %b the month, %Y and %y the year of four and of two digits. */
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
static long long days_since_epoch(const struct date *date) {
  static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  const int year = date->year;
  const long long past = year - 1; /* the complete years since the year 1 */
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  const long long days = past * 365 + past / 4 - past / 100 + past / 400;
  return days + before[date->month - 1] + (leap && date->month > 2) + date->day - 1 - 719162;
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
    *time = days_since_epoch(&date) * 86400 + date.hour * 3600 + date.minute * 60 + date.second;
    return true;
  }
  return false;
}

static bool read_seconds(const char *text, size_t length, long long *seconds) {
  *seconds = 0;
  for (size_t i = 0; i < length; i++) {
    if (!text_is_digit(text[i])) return false;
    if (*seconds <= RETRY_AFTER_MAX) *seconds = *seconds * 10 + (text[i] - '0');
  }
  return length > 0;
}

/* Returns a string argument without the blanks at its start and end. */
static const char *check_trimmed(lua_State *L, int index, size_t *length) {
  const char *text = luaL_checklstring(L, index, length);
  for (; *length > 0 && text_is_blank(*text); --*length) text++;
  while (*length > 0 && text_is_blank(text[*length - 1])) --*length;
  return text;
}

/* Returns the current Unix time: the number at `index`, the HTTP date of a response at `index`, or the time of this
 * machine's clock. */
static long long check_now(lua_State *L, int index) {
  size_t length;
  long long now = (long long)time(NULL), date;
  if (lua_type(L, index) == LUA_TSTRING) {
    const char *text = check_trimmed(L, index, &length);
    return read_date(text, length, now, &date) ? date : now;
  }
  const lua_Number number = luaL_optnumber(L, index, (lua_Number)now);
  luaL_argcheck(L, number >= 0 && number < 1e15, index, "must be a Unix time in seconds");
  return (long long)number;
}

int retry_after(lua_State *L) {
  size_t length;
  const char *value = check_trimmed(L, 1, &length);
  long long now = check_now(L, 2), seconds, date;
  if (!read_seconds(value, length, &seconds)) {
    now = now < 0 ? 0 : now > TIME_MAX ? TIME_MAX : now;
    if (!read_date(value, length, now, &date)) {
      lua_pushnil(L);
      return 1;
    }
    seconds = date > now ? date - now : 0;
  }
  return compat_integer(L, seconds > RETRY_AFTER_MAX ? RETRY_AFTER_MAX : seconds);
}
