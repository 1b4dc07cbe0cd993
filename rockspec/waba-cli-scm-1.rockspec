rockspec_format = "3.0"
package = "waba-cli"
version = "scm-1"

source = {
  url = "git+https://waba.example/waba.git",
}

description = {
  summary = "The command waba: WhatsApp business messaging through 360dialog",
  detailed = [[
Sends WhatsApp messages from a shell, one or a whole file of them, and manages media, templates and the profile of a
number. Also contains waba.migrate, which checks what a move from On-Premise to Cloud hosting changes.]],
  license = "MIT",
}

dependencies = {
  "lua >= 5.1, < 5.6",
  "waba >= 1.0",
  "argparse >= 0.7",
}

build = {
  type = "make",
  build_target = "command",
  variables = {
    PACKAGES = "waba-cli",
    BUILD = "build/rock$(LUA_INCDIR)",
    LUADIR = "$(LUADIR)",
    BINDIR = "$(BINDIR)",
    DATADIR = "$(PREFIX)",
  },
}
