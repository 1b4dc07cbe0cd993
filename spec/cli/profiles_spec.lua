-- Profiles: the keys and settings of several numbers, selected by --profile.

local commands = require "spec.support.command"
local process = require "spec.support.process"
local waba = require "waba"

describe("waba --profile", function()
  local folder, emulator, environment

  local function profile(name, content, mode)
    folder:write("waba/" .. name, content)
    process.run(("chmod %s %s"):format(mode or "600", process.quote(folder:file("waba/" .. name))))
  end

  setup(function()
    folder = process.folder()
    process.run("mkdir " .. process.quote(folder:file "waba"))
    emulator = assert(waba.emulator.start { statuses = false })
    environment = { XDG_CONFIG_HOME = folder.path, HOME = "/nonexistent", D360_API_KEY = "KEY-OF-THE-ENVIRONMENT" }
    profile("shop", ("# the shop's number\napi_key = %s\nbase_url = %s\n\nca_file = %s\r\ntimeout = 5\n"):format(
      emulator.api_key, emulator.url, emulator.ca_file))
  end)

  teardown(function()
    emulator:stop()
    folder:remove()
  end)

  it("sends with the key and the settings of the profile", function()
    local result = commands.run(environment, { "--profile", "shop", "send", "text", "+491511234567", "Hello" })
    assert.equal(0, result.code, result.err)
    assert.equal("Hello", emulator:messages()[#emulator:messages()].content.body)
  end)

  it("prefers an option of the command line to the profile", function()
    local result = commands.run(environment, { "--profile", "shop", "--base-url", "http://127.0.0.1:1", "number" })
    assert.equal(1, result.code)
  end)

  it("reads a profile and a key file with a byte order mark", function()
    profile("marked", ("\239\187\191api_key = %s\r\nbase_url = %s\r\nca_file = %s\r\n"):format(emulator.api_key, emulator.url,
      emulator.ca_file))
    local result = commands.run(environment, { "--profile", "marked", "number" })
    assert.equal(0, result.code, result.err)
    profile("marked", "\239\187\191" .. emulator.api_key .. "\r\n")
    result = commands.run(environment, { "--profile", "shop", "--key-file", folder:file "waba/marked", "number" })
    os.remove(folder:file "waba/marked")
    assert.equal(0, result.code, result.err)
  end)

  it("lists the profiles", function()
    profile("key", "SOME-KEY")
    profile("cafe.2", "api_key = K\nhosting = cloud\n")
    process.run(("cd %s/waba && mkdir old && ln -s old older && ln -s nothing gone && ln -s shop linked"):format(
      process.quote(folder.path)))
    local result = commands.run(environment, { "profiles" })
    assert.equal("cafe.2\nlinked\nshop\n", result.out)
    process.run(("cd %s/waba && rm linked"):format(process.quote(folder.path)))
    assert.same({ "cafe.2", "shop" }, commands.run(environment, { "profiles", "--json" }).json)
    assert.equal("[]\n", commands.run({ XDG_CONFIG_HOME = folder.path .. "/none" }, { "--json", "profiles" }).out)
  end)

  it("refuses a file that other users can read, and shows no key", function()
    profile("open", "api_key = VISIBLE-KEY\n", "644")
    local result = commands.run(environment, { "--profile", "open", "number" })
    assert.equal(2, result.code)
    assert.matches("other users can read the profile .*/waba/open: run chmod 600 ", result.err)
    assert.is_nil(result.err:find("VISIBLE-KEY", 1, true))
  end)

  it("does not advise to change the mode of a folder", function()
    local result = commands.run(environment, { "--key-file", folder.path, "number" })
    assert.equal(2, result.code)
    assert.equal(("waba: --key-file: can't read %s: Is a directory\n"):format(folder.path), result.err)
  end)

  for content, message in pairs {
    [""] = "has no api_key: add a line api_key = KEY",
    ["SECRET-KEY"] = "line 1 must be name = value, such as hosting = cloud",
    ["api_key = SECRET-KEY\nhostng = cloud"] = "line 2: unknown setting hostng %(did you mean hosting%?%)",
    ["api_key = SECRET-KEY\ntimeout = soon"] = "line 2: timeout must be a number of seconds, not soon",
    ["api_key = SECRET-KEY\nhosting = Cloud"] = "line 2: hosting must be on_premise or cloud, not Cloud",
    ['api_key = "SECRET-KEY"'] = "line 1: api_key is in quotation marks: write the value without them",
    ["api_key = SECRET-KEY\nca_file = /nonexistent"] = "/wrong: ca_file: can't read the file /nonexistent",
    ["sandbox = yes\napi_key = SECRET-KEY"] = "line 1: sandbox must be true or false, not yes",
    ["api_key = SECRET-KEY # of the shop"] = "line 1: api_key must be one word; a comment is a line of its own",
    ["api_key ="] = "line 1: api_key must be one word",
    ["api_key = SECRET-KEY\napi_key = SECRET-KEY"] = "line 2: api_key is set twice",
  } do
    it("names the error in a profile: " .. message, function()
      profile("wrong", content)
      local result = commands.run(environment, { "--profile", "wrong", "number" })
      assert.equal(2, result.code, result.err)
      assert.matches(message, result.err)
      assert.is_nil(result.err:find("SECRET-KEY", 1, true))
    end)
  end

  it("refuses an invalid name, and a profile that does not exist", function()
    for _, name in ipairs { "../shop", "", ".hidden", "a b" } do
      local result = commands.run(environment, { "--profile=" .. name, "number" })
      assert.equal(2, result.code, name)
      assert.matches("is not the name of a profile", result.err)
    end
    assert.matches("can't read the profile nobody: ", commands.run(environment, { "--profile", "nobody", "number" }).err)
  end)

  it("is completed with the names of the profiles", function()
    folder:write("bin-waba", ("#!/bin/sh\nexec %s %s/cli/bin/waba \"$@\"\n"):format(process.interpreter(), process.run "pwd"))
    process.run(("mkdir -p %s/bin && mv %s/bin-waba %s/bin/waba && chmod 755 %s/bin/waba"):format(folder.path, folder.path,
      folder.path, folder.path))
    folder:write("complete.sh", require("waba.cli.commands.completion").text "bash" .. [[

      COMP_WORDS=(waba --profile sh); COMP_CWORD=2; _waba waba sh --profile
      echo "${COMPREPLY[@]}"]])
    assert.equal("shop", process.run(("XDG_CONFIG_HOME=%s PATH=%s/bin:$PATH bash %s/complete.sh"):format(folder.path,
      folder.path, folder.path)))
    assert.matches("%-l profile %-xa '%(waba profiles", require("waba.cli.commands.completion").text "fish")
    assert.matches("waba profiles%]: :%(%$%(waba profiles", require("waba.cli.commands.completion").text "zsh")
  end)
end)
