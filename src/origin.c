/* Reads the origin of a URL: see origin.h. */
#include "origin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "text.h"

static const char *url_bytes_error(const char *url, size_t length) {
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)url[i];
    if (c <= 0x20 || c == 0x7F) return "the URL has white space or a control character: expected percent-encoding";
    if (c > 0x7F) return "the URL has a character that is not ASCII: expected percent-encoding";
    if (c == '\\') return "the URL has a backslash: expected a slash";
  }
  return NULL;
}

/* The size of the longest host, including its NUL. */
#define HOST_SIZE 256

static const char ipv6_error[] = "the URL's IPv6 address is not valid: expected one such as [2001:db8::1]";

/* Reads an address in brackets, such as "[::1]", and writes the address in its canonical form. */
static const char *read_ipv6(const char *text, size_t length, char host[HOST_SIZE]) {
  struct in6_addr address;
  char plain[INET6_ADDRSTRLEN];
  if (length - 2 >= sizeof plain) return ipv6_error;
  memcpy(plain, text + 1, length - 2);
  plain[length - 2] = '\0';
  if (inet_pton(AF_INET6, plain, &address) != 1) return ipv6_error;
  host[0] = '[';
  if (inet_ntop(AF_INET6, &address, host + 1, INET6_ADDRSTRLEN) == NULL) return ipv6_error;
  strcat(host, "]");
  return NULL;
}

/* Returns whether the last label of a name is a number. Resolvers read a name whose last label is a number as an IP
 * address. */
static bool ends_in_number(const char *text, size_t length) {
  size_t start = length;
  while (start > 0 && text[start - 1] != '.') start--;
  if (length - start >= 2 && text[start] == '0' && text[start + 1] == 'x') return true;
  for (size_t i = start; i < length; i++) {
    if (!text_is_digit(text[i])) return false;
  }
  return true;
}

static const char *read_name(const char *text, size_t length, char host[HOST_SIZE]) {
  if (length > 253) return "the URL's host is too long: expected at most 253 characters";
  for (size_t i = 0; i < length; i++) {
    char c = text_lower(text[i]);
    if (!text_is_digit(c) && !text_is_letter(c) && c != '-' && c != '.' && c != '_') {
      return "the URL's host has a character that is not allowed: expected letters, digits, hyphens and dots";
    }
    if (c == '.' && (i == 0 || i + 1 == length || text[i - 1] == '.')) {
      return "the URL's host has an empty label: expected one such as example.com";
    }
    host[i] = c;
  }
  host[length] = '\0';
  struct in_addr address;
  /* Programs read the forms that inet_pton refuses, such as "127.1" and "0x7f000001", in different ways. */
  if (ends_in_number(host, length) && inet_pton(AF_INET, host, &address) != 1) {
    return "the URL's IPv4 address is not valid: expected four numbers from 0 to 255";
  }
  return NULL;
}

static const char *read_port(const char *text, size_t length, long *port) {
  size_t i = 0;
  for (*port = 0; i < length && i < 5 && text_is_digit(text[i]); i++) *port = *port * 10 + (text[i] - '0');
  return i == length && *port >= 1 && *port <= 65535 ? NULL : "the URL's port is not a number from 1 to 65535";
}

/* Reads "host" or "host:port". */
static const char *read_authority(const char *text, size_t length, char host[HOST_SIZE], long *port) {
  size_t host_length = 0;
  const char *message;
  if (memchr(text, '@', length) != NULL) return "the URL has user information: expected only the host after https://";
  if (length > 0 && text[0] == '[') {
    const char *end = memchr(text, ']', length);
    if (end == NULL) return ipv6_error;
    host_length = (size_t)(end - text) + 1;
    message = read_ipv6(text, host_length, host);
  } else {
    while (host_length < length && text[host_length] != ':') host_length++;
    if (host_length == 0) return "the URL has no host: expected one after https://";
    message = read_name(text, host_length, host);
  }
  if (message != NULL || host_length == length) return message;
  if (text[host_length] != ':') return ipv6_error;
  return read_port(text + host_length + 1, length - host_length - 1, port);
}

bool origin_is_loopback(const char *origin) {
  const char *host = strstr(origin, "://") + 3;
  const size_t length = strcspn(host, host[0] == '[' ? "]" : ":");
  if (strncmp(host, "[::1]", 5) == 0 || (length == 9 && memcmp(host, "localhost", 9) == 0)) return true;
  return strncmp(host, "127.", 4) == 0 && ends_in_number(host, length);
}

const char *origin_read(const char *url, size_t length, char origin[ORIGIN_SIZE]) {
  char host[HOST_SIZE];
  const bool secure = length >= 8 && text_is(url, 8, "https://"), plain = length >= 7 && text_is(url, 7, "http://");
  const long default_port = secure ? 443 : 80;
  const size_t start = secure ? 8 : 7;
  size_t end = start;
  long port = default_port;
  const char *message = url_bytes_error(url, length);
  if (message != NULL) return message;
  if (!secure && !plain) return "the URL does not begin with https://";
  while (end < length && url[end] != '/' && url[end] != '?' && url[end] != '#') end++;
  message = read_authority(url + start, end - start, host, &port);
  if (message != NULL) return message;
  length = (size_t)snprintf(origin, ORIGIN_SIZE, "%s%s", secure ? "https://" : "http://", host);
  if (port != default_port) snprintf(origin + length, ORIGIN_SIZE - length, ":%ld", port);
  if (plain && !origin_is_loopback(origin)) {
    return "the URL begins with http://, which is allowed to this machine only: expected https://";
  }
  return NULL;
}
