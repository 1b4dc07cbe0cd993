rockspec_format = "3.0"
package = "waba-emulator"
version = "1.0.0-1"

source = {
  url = "git+https://waba.example/waba.git",
  tag = "v1.0.0",
}

description = {
  summary = "An emulator of 360dialog's WhatsApp gateway, for development and tests",
  detailed = [[
Answers on 127.0.0.1 as the gateway does, On-Premise and Cloud hosting: checks messages, sends status webhooks, plays
customers who write to the business.]],
  license = "MIT",
}

dependencies = {
  "lua >= 5.1, < 5.6",
  "waba >= 1.0",
  "cqueues",
  "luaossl",
}

build = {
  type = "make",
  build_pass = false,
  variables = {
    PACKAGES = "waba-emulator",
    LUADIR = "$(LUADIR)",
  },
}
