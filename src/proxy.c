/* The check of a proxy's URL: see proxy.h. */
#include "proxy.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "text.h"

static bool is_proxy_scheme(const char *scheme) {
  static const char *const schemes[] = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
  const size_t length = strlen(scheme);
  size_t i;
  for (i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
    if (text_equals_ignoring_case(scheme, length, schemes[i], strlen(schemes[i]))) return true;
  }
  return false;
}

/* Whether a part of the URL contains a character; true as well when there is not enough memory to read the part. */
static bool part_has(CURLU *parsed, CURLUPart part, char c) {
  char *text = NULL;
  CURLUcode code = curl_url_get(parsed, part, &text, 0);
  bool found =
      code == CURLUE_OUT_OF_MEMORY || (code == CURLUE_OK && text != NULL && strchr(text, c) != NULL);
  curl_free(text);
  return found;
}

static const char *check_parts(CURLU *parsed) {
  char *scheme = NULL;
  bool known =
      curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK && is_proxy_scheme(scheme);
  curl_free(scheme);
  if (!known) {
    return "its scheme is unknown: expected http, https, socks4, socks4a, socks5 or socks5h";
  }
  if (part_has(parsed, CURLUPART_PATH, '@') || part_has(parsed, CURLUPART_QUERY, '@') ||
      part_has(parsed, CURLUPART_FRAGMENT, '@')) {
    return "a slash, question mark or hash in its user or password must be percent-encoded";
  }
  return NULL;
}

const char *proxy_check(const char *url) {
  CURLU *parsed;
  const char *fault;
  CURLUcode code;
  if (*url == '\0') return NULL; /* no proxy, even if the environment names one */
  parsed = curl_url();
  if (parsed == NULL) return "not enough memory";
  code = curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME);
  if (code == CURLUE_OUT_OF_MEMORY) {
    fault = "not enough memory";
  } else if (code != CURLUE_OK) {
    fault = "it is not a valid URL: expected one such as http://user:password@proxy.example:3128";
  } else {
    fault = check_parts(parsed);
  }
  curl_url_cleanup(parsed);
  return fault;
}
