-- Tests the guides. The Lua code of a page runs as one program. Blocks `sh` are run; in blocks `console` the names of
-- commands and options are checked. The nginx configuration is compared with examples/nginx. Links must exist.

local command = require "spec.support.command"
local documents = require "spec.support.documents"
local folders = require "spec.support.folder"
local process = require "spec.support.process"
local documentation_reader = require "spec.support.documentation_reader"
local waba = require "waba"

local unpack = table.unpack or unpack

local PAGES = {}
for path in process.run("ls docs/guides/*.md"):gmatch "[^\n]+" do PAGES[#PAGES + 1] = path end

-- Returns the first line of the block that is missing in the text; the lines must have the same order.
local function first_missing(text, block)
  local position = 1
  for line in (block .. "\n"):gmatch "([^\n]*%S[^\n]*)\n" do
    local _, last = text:find(line:gsub("^%s+", ""), position, true)
    if not last then return line end
    position = last
  end
end

describe("the guide", function()
  local emulator, folder

  setup(function() emulator = assert(waba.emulator.start { statuses = false }) end)
  teardown(function() emulator:stop() end)

  before_each(function()
    folder = folders.new()
    folder:write("appointments.csv", documents.read "examples/reminders/appointments.csv")
    folder:write("blue.jpg", "\255\216\255 not quite a picture")
  end)
  after_each(function() folder:remove() end)

  -- Asserts that the program printed the texts after `-->` in its code, in their order.
  local function keeps_its_promises(code, printed)
    local position = 0
    for promise in code:gmatch "%-%->%s*([^\n]+)" do
      local found
      for i = position + 1, #printed do
        if printed[i]:find(promise, 1, true) then
          found = i
          break
        end
      end
      assert(found, ("%q was not printed; but: %s"):format(promise, table.concat(printed, " | ")))
      position = found
    end
  end

  local helps = {} -- caches the help of each subcommand, because a process for each would be slow

  local function help_of(arguments)
    local key = table.concat(arguments, " ")
    helps[key] = helps[key] or command.run({ HOME = "/nonexistent" }, arguments).out
    return helps[key]
  end

  -- Checks that every subcommand and option of a `waba` command exists.
  local function knows(line)
    local words = {}
    for word in line:gmatch "%S+" do words[#words + 1] = word end
    local commands, help = {}, help_of { "--help" }
    local known = help
    for i = 2, #words do
      local listed = known:match "\nCommands:(.*)$"
      if listed and listed:find("\n   " .. words[i]:gsub("%p", "%%%0") .. "%s") then
        commands[#commands + 1] = words[i]
        local arguments = { unpack(commands) }
        arguments[#arguments + 1] = "--help"
        known = help_of(arguments)
        help = help .. known
      else
        assert(words[i]:find "^%-" or #commands > 0, line)
      end
    end
    for _, word in ipairs(words) do
      local option = word:match "^%-%-[%w%-]+"
      assert(not option or help:find(option, 1, true), ("%s: no option %s"):format(line, tostring(option)))
    end
  end

  -- Runs code in a shell with `waba` in its PATH, and with the key and the gateway in its environment.
  local function run_shell(code)
    folder:write("waba", ("#!/bin/sh\nexec %s %s/cli/bin/waba \"$@\"\n"):format(process.interpreter(), process.run "pwd"))
    folder:write("script", code)
    local line = ("cd %s && env D360_API_KEY=%s WABA_BASE_URL=%s WABA_CA_FILE=%s HOME=%s PATH=%s:\"$PATH\" sh -eu script 2>&1; "
      .. "echo \"exit $?\""):format(folder.path, process.quote(emulator.api_key), emulator.url,
      process.quote(emulator.ca_file), folder.path, folder.path)
    os.execute("chmod +x " .. process.quote(folder:file "waba"))
    return process.run(line)
  end

  for _, path in ipairs(PAGES) do
    describe(path, function()
      local program = documents.program(path)
      if program.code ~= "" then
        it("has Lua that runs from its first line to its last", function()
          local printed = {}
          local names = documentation_reader.names(emulator, folder, printed)
          documents.run(path, { line = 1, code = documentation_reader.with_files(program.code, folder) }, names)
          keeps_its_promises(program.code, printed)
        end)
      end

      for _, block in ipairs(documents.blocks(path, "sh")) do
        it(("has a shell block that runs (line %d)"):format(block.line), function()
          folder:write("template.json", '{"name":"pickup","language":"en","category":"UTILITY",'
            .. '"components":[{"type":"BODY","text":"Ready."}]}')
          folder:write("appointments.csv", (documents.read "examples/reminders/appointments.csv":gsub("a%-1043[^\n]*\n", "")))
          local output = run_shell(block.code)
          assert.matches("exit 0$", output)
        end)
      end

      for _, block in ipairs(documents.blocks(path, "console")) do
        it(("names existing commands (line %d)"):format(block.line), function()
          for line in (block.code .. "\n"):gmatch "(.-)\n" do
            local command_line = line:match "^%$ (waba .*)$"
            if command_line then knows(command_line) end
            local target = line:match "^%$ make (%l%S*)" or line:match "^%$ sudo make (%l%S*)"
            if target then assert.matches("\n" .. target:gsub("%-", "%%-") .. ":", documents.read "Makefile") end
          end
        end)
      end

      -- A configuration file of examples/nginx must contain the lines of a block `nginx` in this order.
      for _, block in ipairs(documents.blocks(path, "nginx")) do
        it(("quotes the configuration that is tested (line %d)"):format(block.line), function()
          local missing = {}
          for name in process.run("ls examples/nginx/*.conf"):gmatch "[^\n]+" do
            local line = first_missing(documents.read(name), block.code)
            if not line then return end
            missing[#missing + 1] = ("%s lacks: %s"):format(name, line)
          end
          error(table.concat(missing, "\n"))
        end)
      end
    end)
  end

  it("to the command line names every command", function()
    local page = documents.read "docs/guides/command-line.md"
    local commands = command.run({}, { "--help" }).out:match "\nCommands:(.-)\n\n"
    for name in commands:gmatch "\n   (%l+)" do
      assert(page:find("%f[%w]waba [^\n]*" .. name .. "%f[%W]") or page:find("`" .. name .. "`", 1, true), name)
    end
  end)

  it("to nginx shows the receiver of its example", function()
    for name, text in pairs(documents.files "docs/guides/webhooks-in-nginx.md") do
      local example = documents.read("examples/nginx/" .. name):gsub("^%-%-.-\n\n", "")
      assert.equal(example, (text:gsub("^.-\n", "")))
    end
  end)

  it("to testing has a project whose tests pass", function()
    local project = folders.new()
    os.execute("mkdir " .. process.quote(project:file "spec"))
    for name, text in pairs(documents.files "docs/guides/testing-your-bot.md") do project:write(name, text) end
    local output = process.run(("cd %s && timeout 60 %s \"$(command -v busted)\" -o plainTerminal 2>&1"):format(
      process.quote(project.path), process.interpreter()))
    project:remove()
    assert.matches("%d+ successes / 0 failures / 0 errors", output)
  end)

  it("is listed in docs/README.md", function()
    local index = documents.read "docs/README.md"
    for _, path in ipairs(PAGES) do assert(index:find(path:gsub("^docs/", ""), 1, true), path) end
  end)
end)

describe("the documentation", function()
  local pages = "ls *.md docs/*.md docs/*/*.md examples/*.md examples/*/*.md"
  for path in process.run(pages):gmatch "[^\n]+" do
    it("has valid links: " .. path, function() assert.same({}, documents.dead_links(path)) end)
  end

  it("describes the current version in the changelog", function()
    assert.matches("\n## %[" .. require("waba.version"):gsub("%p", "%%%0") .. "%]", documents.read "CHANGELOG.md")
  end)

  it("names existing files and folders in CONTRIBUTING", function()
    for name in documents.read("CONTRIBUTING.md"):gmatch "`([%w_/%.%-]+)`" do
      if (name:find "/" or name:find "%.lua$") and not name:find "^build/" then
        local found = false
        for _, place in ipairs { "", "lua/waba/", "lua/waba/schema/", "emulator/waba/emulator/cloud/", "spec/support/",
          "emulator/waba/emulator/" } do
          local path = place .. name
          found = found or process.run("test -e " .. process.quote(path) .. " && echo yes") == "yes"
        end
        assert(found, name)
      end
    end
  end)
end)
