rockspec_format = "3.0"
package = "waba"
version = "scm-1"

source = {
  url = "git+https://waba.example/waba.git",
}

description = {
  summary = "WhatsApp business messaging through 360dialog",
  detailed = [[
Sends WhatsApp messages through 360dialog's gateway and reads its webhooks: from a script, an event loop
(cqueues, luv, copas) or OpenResty. A libcurl core for the network, plain tables for messages.]],
  license = "MIT",
}

dependencies = {
  "lua >= 5.1, < 5.6",
}

-- The Makefile knows what is built and installed; it is told here where LuaRocks keeps things. It looks for libcurl
-- itself (pkg-config, or CURL_CFLAGS and CURL_LIBS in the environment), and says which packages are missing: LuaRocks
-- does not find Debian's libcurl where there is no compiler yet, and would send people off for what they have.
build = {
  type = "make",
  build_target = "modules",
  variables = {
    PACKAGES = "waba",
    BUILD = "build/rock$(LUA_INCDIR)",
    CFLAGS = "$(CFLAGS)",
    LUA_CFLAGS = "-I$(LUA_INCDIR)",
    LUADIR = "$(LUADIR)",
    LIBDIR = "$(LIBDIR)",
  },
}

test = {
  type = "command",
  command = "make test SKIP_PACKAGES=1",
}
