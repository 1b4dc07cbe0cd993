rockspec_format = "3.0"
package = "waba"
version = "1.0.0-1"

source = {
  url = "git+https://github.com/waba/waba.git",
  tag = "v1.0.0",
}

description = {
  summary = "WhatsApp business messaging through 360dialog",
  detailed = [[
Sends WhatsApp messages through 360dialog's gateway and reads its webhooks: from a script, an event loop
(cqueues, luv, copas) or OpenResty. A libcurl core for the network, plain tables for messages.]],
  license = "MIT",
}

dependencies = {
  "lua >= 5.1, < 5.5",
  "lua-cjson >= 2.1",
  "argparse >= 0.7",
}

-- Only the library is named: LuaRocks does not find Debian's headers, the compiler does.
external_dependencies = {
  CURL = { library = "curl" },
}

-- The Makefile knows what is built and installed; it is told here where LuaRocks keeps things.
build = {
  type = "make",
  build_target = "modules",
  variables = {
    BUILD = "build/rock$(LUA_INCDIR)",
    CFLAGS = "$(CFLAGS)",
    LUA_CFLAGS = "-I$(LUA_INCDIR)",
    CURL_CFLAGS = "-I$(CURL_INCDIR)",
    CURL_LIBS = "-L$(CURL_LIBDIR) -lcurl",
    LUADIR = "$(LUADIR)",
    LIBDIR = "$(LIBDIR)",
    BINDIR = "$(BINDIR)",
    MANDIR = "$(PREFIX)/man",
  },
}

test = {
  type = "command",
  command = "make test SKIP_PACKAGES=1",
}
