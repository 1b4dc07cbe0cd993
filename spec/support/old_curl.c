/* A preloaded library that makes libcurl report an old version. */
#include <curl/curl.h>

curl_version_info_data *curl_version_info(CURLversion age) {
  static curl_version_info_data old;
  old.age = age;
  old.version = "7.74.0";
  old.version_num = 0x074a00;
  return &old;
}
