/* What may stand in the first line of a request: see request.h. */
#include "request.h"

#include "text.h"

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
