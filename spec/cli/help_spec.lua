-- The description of the command line: help, completion, manual page.

local cli = require "waba.cli"
local commands = require "spec.support.command"
local process = require "spec.support.process"
local waba = require "waba"

local function each_command(visit)
  local function walk(command, path)
    visit(command, path)
    for _, below in ipairs(command._commands) do walk(below, path .. " " .. below._name) end
  end
  walk(cli.parser(), "waba")
end

describe("the description of the command line", function()
  it("fits 80 columns in every subcommand's help", function()
    local count = 0
    each_command(function(command, path)
      count = count + 1
      for line in command:get_help():gmatch "[^\n]+" do assert.is_true(#line <= 80, path .. ": " .. line) end
    end)
    assert.is_true(count > 50)
  end)

  it("describes every option and argument", function()
    each_command(function(command, path)
      for _, list in ipairs { command._options, command._arguments } do
        for _, element in ipairs(list) do
          assert.matches("%S.*%S", element:_get_description(), path)
        end
      end
    end)
  end)

  it("completes file names with blanks in bash", function()
    local pipe = io.popen("mktemp -d")
    local folder = pipe:read "*l"
    pipe:close()
    local script = assert(io.open(folder .. "/complete.sh", "w"))
    script:write(require("waba.cli.commands.completion").text "bash", ([[
      cd %s; touch 'my list.csv'
      COMP_WORDS=(waba bulk --journal my); COMP_CWORD=3; _waba waba my --journal
      printf '%%s=' "${#COMPREPLY[@]}" "${COMPREPLY[0]}"]]):format(folder))
    script:close()
    pipe = io.popen(("bash %s/complete.sh 2>&1; rm -r %s"):format(folder, folder))
    local said = pipe:read "*a"
    pipe:close()
    assert.equal("1=my list.csv=", said)
  end)

  it("has working examples in the manual page", function()
    local file = assert(io.open "docs/waba.1")
    local page = file:read "*a"
    file:close()
    local emulator = assert(waba.emulator.start { statuses = false })
    local folder = process.folder()
    folder:file("customers.csv", "to,name,day,time\n+49 151 1234567,Eva,Monday,9:00\n")
    folder:file("message.json", '{"type":"text","text":{"body":"Hello"}}')
    local here = process.run "pwd"
    folder:file("waba", ("#!/bin/sh\nexec %s %s/cli/bin/waba \"$@\"\n"):format(process.interpreter(), commands.quote(here)))
    process.run("chmod 755 " .. commands.quote(folder:file "waba"))
    local environment = { D360_API_KEY = emulator.api_key, WABA_HOSTING = "", WABA_BASE_URL = emulator.url,
      WABA_CLOUD_BASE_URL = emulator.cloud.url, WABA_CA_FILE = emulator.ca_file, WABA_WEBHOOK_PASSWORD = "secret-word",
      HOME = folder.path }
    local words = { "env", 'PATH=' .. commands.quote(folder.path) .. ':"$PATH"' }
    for name, value in pairs(environment) do words[#words + 1] = name .. "=" .. commands.quote(value) end
    local count = 0
    for block in page:match("\n%.SH EXAMPLES\n(.*)$"):gmatch "\n%.nf\n(.-)\n%.fi" do
      for written in (block:gsub("\\%-", "-") .. "\n"):gmatch "([^\n]+)\n" do
        count = count + 1
        local line = written:gsub("%-%-port 8080", "--port 0")
        local key = line:find("hosting cloud", 1, true) and " D360_API_KEY=" .. commands.quote(emulator.cloud.api_key) or ""
        local limit = line:find(" listen ", 1, true) and "timeout -s INT 2 " or "" -- `waba listen` runs until it is interrupted
        local pipe = io.popen(("cd %s && %s%s sh -c %s 2>&1; echo \"exit $?\""):format(commands.quote(folder.path),
          table.concat(words, " "), key, commands.quote(limit .. line)))
        local output = pipe:read "*a"
        pipe:close()
        local code = output:match "exit (%d+)\n$"
        -- `waba doctor` exits with 1 if it finds an error. The exit codes 124 and 130 mean that timeout(1) ended the
        -- command.
        assert.is_true(code == "0" or limit ~= "" and (code == "124" or code == "130") or line == "waba doctor" and code == "1",
          line .. ": " .. output)
        assert.is_nil(output:find("Usage:", 1, true), output)
      end
    end
    emulator:stop()
    folder:remove()
    assert.equal(8, count)
  end)
end)

describe("the command line", function()
  local function run(...)
    return commands.run({ HOME = "/nonexistent", XDG_CONFIG_HOME = "/nonexistent" }, { ... })
  end

  it("finds the subcommand behind options whose values are names of subcommands", function()
    local result = run("--profile", "send", "explain", "470")
    assert.equal(0, result.code, result.err)
    assert.matches("^470 ", result.out)
    assert.matches("can't read the profile explain", run("--profile", "explain", "number").err)
  end)

  it("shows all subcommands in its own help, also after a subcommand", function()
    assert.matches("\n   emulator ", run("--help", "explain").out)
    assert.matches("^Usage: waba explain", run("explain", "--help").out)
  end)
end)
