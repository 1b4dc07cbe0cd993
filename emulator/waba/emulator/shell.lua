-- The command `waba emulator`: reads its arguments, prints the variables of its gateways, and serves until it is
-- interrupted; or runs a program with these variables, and ends with it.

local files = require "waba.emulator.files"
local option_types = require "waba.option"
local options = require "waba.emulator.options"

local shell = {}

local HOSTINGS = { on_premise = true, cloud = true }

-- What it prints ----------------------------------------------------------------------------------

local WIDTH = 79
local INDENT = 6

-- A text in lines of the terminal's usual width, each indented.
local function wrap(text)
  local lines, line = {}, ""
  for word in text:gmatch("%S+") do
    if line ~= "" and #line + #word + 1 > WIDTH - INDENT then lines[#lines + 1], line = line, "" end
    line = line == "" and word or line .. " " .. word
  end
  lines[#lines + 1] = line
  local margin = (" "):rep(INDENT)
  return margin .. table.concat(lines, "\n" .. margin)
end

-- The placeholder for an option's value.
local function value_of(kind)
  if kind == "boolean" then return "" end
  if kind:find("number") or kind:find("integer") then return " <number>" end
  return " <text>"
end

-- The options, as `waba emulator --help` shows them.
local function usage_text()
  local lines = { "Usage: waba emulator [--option value] ... [-- program argument ...]", "",
    "The gateway on your own machine, for both hostings. Ctrl-C ends it.", "",
    "It prints environment variables for waba and programs, for a shell's eval.",
    "With a program after -- it sets them, runs the program, and ends with it.", "",
    "A switch takes true or false; without a value it is true.",
    "--hosting cloud sets the variables for the Cloud gateway (on_premise).",
    "--key is the key of both gateways; --cloud-key that of the Cloud one.",
    "--port and --cloud-port fix their ports.",
    "--json prints where it is as one line of JSON." }
  local function add(title, prefix, list)
    lines[#lines + 1] = "\n" .. title
    for _, row in ipairs(list) do
      local kind = option_types.words(row[2])
      if kind ~= "table" then
        local default = (type(row[3]) == "number" or type(row[3]) == "string" or row[3] == true)
          and (" (%s)"):format(tostring(row[3])) or ""
        lines[#lines + 1] = ("  --%s%s%s"):format(prefix, row[1]:gsub("_", "-"), value_of(kind))
        lines[#lines + 1] = wrap(row[4] .. default)
      end
    end
  end
  add("Options:", "", options.list)
  add("Webhooks:", "webhook-", options.webhooks)
  add("The Cloud gateway (any option above may begin with --cloud- too):", "cloud-", options.cloud)
  return table.concat(lines, "\n")
end

-- Separates some arguments from the others.
local function take(arguments, ...)
  local wanted, found, left = {}, {}, {}
  for _, word in ipairs({ ... }) do wanted[word] = true end
  for _, word in ipairs(arguments) do
    if wanted[word] then
      found[word] = true
    else
      left[#left + 1] = word
    end
  end
  return found, left
end

-- A value for a shell; quoted where it has to be.
local function shell_value(text) return text:find("^[%w_./:-]*$") and text or files.quote(text) end

local TITLES = { on_premise = "On-Premise", cloud = "Cloud" }

-- The address with which waba.emulator.connect joins a process.
local function address_of(process) return ("%s/?token=%s"):format(process.control, process.token) end

-- The variables for programs that use the emulator, as lines of shell code without an empty line.
local function exports(hosting, described, process)
  local gateway, cloud = described[hosting], described.cloud
  local lines = {
    ("# %s hosting, the number %s:"):format(TITLES[hosting], gateway.number),
    "export D360_API_KEY=" .. shell_value(gateway.api_key),
    "export WABA_HOSTING=" .. hosting,
    "export WABA_BASE_URL=" .. shell_value(gateway.url),
    "export WABA_CA_FILE=" .. shell_value(process.ca_file or ""),
    "export WABA_EMULATOR=" .. shell_value(address_of(process)),
  }
  if hosting == "on_premise" and cloud.api_key == gateway.api_key then
    lines[#lines + 1] = ('# Cloud hosting, the number %s, for programs with hosting = "cloud":'):format(cloud.number)
    lines[#lines + 1] = "export WABA_CLOUD_BASE_URL=" .. shell_value(cloud.url)
  end
  return table.concat(lines, "\n")
end

-- Its arguments -----------------------------------------------------------------------------------

-- Reads the value of an option: a boolean, a number, or text.
local function read_value(kind, text)
  if kind:find("boolean") and (text == "true" or text == "false") then return text == "true" end
  if kind:find("number") and tonumber(text) then return tonumber(text) end
  if kind:find("integer") and text:find("^%d+$") then return tonumber(text) end
  if kind:find("false") and text == "false" then return false end
  if kind:find("string") or kind:find("any") then return text end
end

-- For each argument its types, and the table and name under which its value is stored. The options of webhooks begin
-- with "webhook-", those of the Cloud gateway with "cloud-".
local function argument_kinds(given)
  local kinds = { hosting = { "string", given, "hosting" } }
  local function add(prefix, list, place)
    for _, row in ipairs(list) do
      if place == given or not options.shared[row[1]] then
        kinds[prefix .. row[1]] = { option_types.words(row[2]), place, row[1] }
      end
    end
  end
  add("", options.list, given)
  add("webhook_", options.webhooks, given.webhooks)
  add("cloud_", options.list, given.cloud)
  add("cloud_", options.cloud, given.cloud)
  add("cloud_webhook_", options.webhooks, given.cloud.webhooks)
  kinds.key, kinds.cloud_key = kinds.api_key, kinds.cloud_api_key
  return kinds
end

-- Reads "--name value", "--name=value" and "--switch".
local function read_arguments(arguments)
  local given = { webhooks = {}, cloud = { webhooks = {} } }
  local kinds = argument_kinds(given)
  local i = 1
  while arguments[i] do
    local name, value = arguments[i]:match("^%-%-([^=]+)=?(.*)$")
    local kind = name and kinds[name:gsub("%-", "_")]
    if not kind then return nil, "unknown argument " .. arguments[i] end
    if not arguments[i]:find "=" then
      local following = arguments[i + 1]
      if kind[1]:find("boolean") and (not following or following:find("^%-%-")) then
        value = "true"
      else
        value = following
        i = i + 1
      end
    end
    local read = value and read_value(kind[1], value)
    if read == nil then
      return nil, ("--%s needs a value: %s"):format(name, kind[1])
    end
    kind[2][kind[3]] = read
    i = i + 1
  end
  return given
end

-- Splits the arguments into the emulator's own and the program after "--".
local function split(arguments)
  local own, program = {}, nil
  for _, word in ipairs(arguments) do
    if program then
      program[#program + 1] = word
    elseif word == "--" then
      program = {}
    else
      own[#own + 1] = word
    end
  end
  return own, program
end

local function refuse(message, code)
  io.stderr:write("waba emulator: ", tostring(message), "\n")
  return code
end

-- Both gateways have the same key, so that the same variables work for both hostings.
local function settle_keys(given)
  given.api_key = given.api_key or require("waba.emulator.random").letters(32)
  given.cloud.api_key = given.cloud.api_key or given.api_key
end

-- The exit code of a command; what os.execute returns depends on the version of Lua.
local function exit_code(first, what, code)
  if type(first) == "number" then -- Lua 5.1 and LuaJIT: the system's wait status
    return first >= 256 and math.floor(first / 256) or first > 0 and 128 + first % 128 or 0
  end
  return what == "signal" and 128 + code or code
end

-- Runs a program next to the emulator's process, which ends with it.
local function run_program(given, hosting, program)
  local emulator, err = require("waba.emulator").start(given)
  if not emulator then return refuse(err.message, 1) end
  local words = {}
  for i, word in ipairs(program) do words[i] = files.quote(word) end
  local mark = emulator.started.folder .. "/" .. files.PROGRAM
  if given.ui then print("# The page for your browser: " .. emulator:page()) end
  io.stdout:flush()
  local code = exit_code(os.execute(("%s\necho $$ >%s\nexec %s"):format(
    exports(hosting, { on_premise = emulator, cloud = emulator.cloud }, emulator.started), files.quote(mark),
    table.concat(words, " "))))
  os.remove(mark)
  emulator:stop()
  return code
end

-- Serves until it is interrupted.
local function serve(given, hosting, as_json)
  local main = require "waba.emulator.main"
  local message
  given, message = options.with_folders(given)
  if not given then return refuse(message, 2) end
  local process, cq = main.assemble(given)
  if not process then return refuse(cq, 1) end
  local described = { on_premise = process.gateways.on_premise:describe(), cloud = process.gateways.cloud:describe() }
  if as_json then
    described.ca_file = process.ca_file
    described.emulator, described.page = address_of(process), process.page and process.page.url
    print(require("waba.core").encode(described))
  else
    print(exports(hosting, described, process))
    if process.page then print("# The page for your browser: " .. process.page.url) end
    print("# These lines are for a shell's eval. Ctrl-C ends the emulator.")
  end
  io.stdout:flush()
  main.run(process, cq)
  return 0
end

--- Runs the command.
---@param arguments string[]  of the command line; after "--" a program to run
---@return integer  exit code
function shell.run(arguments)
  local own, program = split(arguments)
  local words, left = take(own, "--json", "--help", "-h")
  if words["--help"] or words["-h"] then
    print(usage_text())
    return 0
  end
  local given, message = read_arguments(left)
  if not given then return refuse(message, 2) end
  local hosting = given.hosting or "on_premise"
  given.hosting = nil
  if not HOSTINGS[hosting] then
    return refuse("--hosting must be on_premise or cloud, not " .. hosting, 2)
  elseif program and not program[1] then
    return refuse("the program after -- is missing", 2)
  end
  message = require("waba.emulator.main").missing_library()
  if message then return refuse(message, 1) end
  settle_keys(given)
  if program then return run_program(given, hosting, program) end
  return serve(given, hosting, words["--json"])
end

return shell
