-- The main functions of the emulator's process: `child` for a program that has called waba.emulator.start, and `shell`
-- for the command `waba emulator`. The command prints environment variables for the gateways, and runs until it is
-- interrupted. With a program after "--", the command sets the variables for the program, and ends when the
-- program ends.
--
--   lua5.4 -e 'require("waba.emulator.main").shell(arg)' -- --port 8443 --ui
--   lua5.4 emulator/waba/emulator/main.lua --port 8443

-- True if the file runs as a script. Otherwise the first argument is the module name, from `require`.
local is_script = (...) ~= "waba.emulator.main" and arg and arg[0] and arg[0]:find("emulator/main%.lua$")
if is_script then
  local root = arg[0]:match("^(.*)waba/emulator/main%.lua$") or ""
  package.path = ("%s?.lua;%s?/init.lua;%s"):format(root, root, package.path)
end

local core = require "waba.core"
local files = require "waba.emulator.files"
local library = require "waba.library"
local option_types = require "waba.option"
local option_values = require "waba.emulator.option_values"
local options = require "waba.emulator.options"

local main = {}

local NEEDED = { { "cqueues", "cqueues", "lua-cqueues" }, { "openssl.x509", "luaossl", "lua-luaossl" } }

-- Returns nil, or an error message that says how to install a missing library of the server.
local function missing_library()
  for _, needed in ipairs(NEEDED) do
    local found, message = library.find(needed[1])
    if not found then
      return ("the emulator needs %s (rock %q, Debian package %q): %s"):format(needed[1], needed[2], needed[3],
        tostring(message):match("[^\n]*"))
    end
  end
end

--- Runs the process that a program has started. Reads the options as JSON from `options_file`. Writes a line of JSON to
--- `ready_file` when the process listens, or if it can't listen.
function main.child(options_file, ready_file)
  local text = files.read(options_file)
  os.remove(options_file)
  local message, self = missing_library(), nil
  local ok, raised = pcall(function()
    if not message then self, message = require("waba.emulator.process").new(core.decode(text)) end
  end)
  if not self then
    files.write(ready_file, core.encode({ error = tostring(not ok and raised or message) }) .. "\n")
    return
  end
  self:watch_parent()
  files.write(ready_file, core.encode({ numbers = self.numbers, ca_file = self.ca_file, control = self.control,
    token = self.token, folder = self.folder, pid = tonumber(os.getenv("WABA_EMULATOR_PID")) }) .. "\n")
  self:run()
  os.remove(ready_file)
  os.exit(0)
end

-- The help of the command -------------------------------------------------------------------------

-- Divides a text into indented lines of at most 79 characters.
local function wrap(text)
  local lines, line = {}, "     "
  for word in text:gmatch("%S+") do
    if #line + #word + 1 > 79 then lines[#lines + 1], line = line, "     " end
    line = line .. " " .. word
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

-- Maps each word in the type of an option to the placeholder that the help shows for the option's value.
local PLACEHOLDERS = { string = "text", any = "text", integer = "number", table = "JSON", boolean = "true|false" }

-- Returns the placeholder for the value of an option, such as " <JSON|false>".
local function placeholder(kind)
  return kind == "boolean" and "" or (" <%s>"):format((kind:gsub("%a+", PLACEHOLDERS):gsub(" or ", "|")))
end

local USAGE = [[
Usage: waba emulator [--option value] ... [-- program argument ...]

Runs the gateways of both hostings on this machine, until Ctrl-C.

Prints environment variables for waba and other programs, for a shell's eval.
With a program after --, sets the variables, runs the program, and ends when
the program ends.

An option without a placeholder is true, or has the value true or false.
<JSON> is an object or a list: --statuses '{"sent":0.1,"delivered":1}'.
--hosting cloud sets the variables for the Cloud gateway (default: on_premise).
--key is the API key of both gateways; --cloud-key that of the Cloud gateway.
--port and --cloud-port are the ports of the two gateways.
--json prints the URLs and keys of the gateways as one line of JSON.]]

-- Options that are tables, whose fields are arguments: --webhook-url, --cloud-number.
local HAS_ARGUMENTS = { webhooks = true, cloud = true }

local function usage_text()
  local lines = { USAGE }
  local function add(title, prefix, list)
    lines[#lines + 1] = "\n" .. title
    for _, row in ipairs(list) do
      local kind, default = option_types.words(row[2]), row[3]
      if not HAS_ARGUMENTS[row[1]] then
        local is_shown = type(default) == "number" or type(default) == "string" or default == true
        lines[#lines + 1] = ("  --%s%s%s"):format(prefix, row[1]:gsub("_", "-"), placeholder(kind))
        lines[#lines + 1] = wrap(row[4] .. (is_shown and (" (%s)"):format(tostring(default)) or ""))
      end
    end
  end
  add("Options:", "", options.list)
  add("Webhooks:", "webhook-", options.webhooks)
  add("The Cloud gateway (any option above may begin with --cloud- too):", "cloud-", options.cloud)
  return table.concat(lines, "\n")
end

-- The arguments of the command --------------------------------------------------------------------

-- Converts the value of an argument to the type of its option. Returns nil if the value has another type.
local function read_value(kind, text)
  if kind:find("table") and text:find("^%s*[{%[]") then return (core.decode(text)) end
  if kind:find("boolean") and (text == "true" or text == "false") then return text == "true" end
  if kind:find("number") and tonumber(text) or kind:find("integer") and text:find("^%-?%d+$") then
    return tonumber(text)
  end
  if kind:find("false") and text == "false" then return false end
  if kind:find("string") or kind:find("any") then return text end
end

-- Returns for each argument the type, and the table and the field in which its value is stored.
local function argument_kinds(values)
  local kinds = { json = { "boolean", values, "json" }, hosting = { "string", values, "hosting" } }
  local function add(prefix, list, place)
    for _, row in ipairs(list) do
      if not HAS_ARGUMENTS[row[1]] and (place == values or not options.shared[row[1]]) then
        kinds[prefix .. row[1]] = { option_types.words(row[2]), place, row[1] }
      end
    end
  end
  add("", options.list, values)
  add("webhook_", options.webhooks, values.webhooks)
  add("cloud_", options.list, values.cloud)
  add("cloud_", options.cloud, values.cloud)
  add("cloud_webhook_", options.webhooks, values.cloud.webhooks)
  kinds.key, kinds.cloud_key = kinds.api_key, kinds.cloud_api_key
  return kinds
end

-- Reads "--name value", "--name=value" and "--switch". Returns the options; or nil and an error message.
local function read_arguments(arguments)
  local values = { webhooks = {}, cloud = { webhooks = {} } }
  local kinds, i = argument_kinds(values), 1
  while arguments[i] do
    local name, value = arguments[i]:match("^%-%-([^=]+)=?(.*)$")
    local kind = name and kinds[name:gsub("%-", "_")]
    if not kind then return nil, "unknown argument " .. arguments[i] .. ": waba emulator --help lists all arguments" end
    if not arguments[i]:find("=", 1, true) then
      value = arguments[i + 1]
      if kind[1]:find("boolean") and (not value or value:find("^%-%-")) then
        value = "true"
      else
        i = i + 1
      end
    end
    local read = value and read_value(kind[1], value)
    if read == nil then
      local expected = option_values.expected(kind[3]) or kind[1]:gsub("table", "a JSON object or list")
      return nil, ("--%s needs a value: %s%s"):format(name, expected, value and ", not " .. value or "")
    end
    local reason = option_values.refuse(kind[3], read)
    if reason then return nil, ("--%s %s"):format(name, reason) end
    kind[2][kind[3]] = read
    i = i + 1
  end
  return values
end

-- Divides the arguments at "--" into the arguments of the emulator, and the program with its arguments. The third
-- result is true if --help is before "--".
local function split(arguments)
  local own, program, help = {}, nil, false
  for _, word in ipairs(arguments) do
    if not program and word == "--" then
      program = {}
    else
      table.insert(program or own, word)
      help = help or not program and (word == "--help" or word == "-h")
    end
  end
  return own, program, help
end

-- The command -------------------------------------------------------------------------------------

local TITLES = { on_premise = "On-Premise", cloud = "Cloud" }

-- Returns a value as a word for a shell, with quotes if they are necessary.
local function shell_value(text) return text:find("^[%w_./:-]*$") and text or files.quote(text) end

-- Returns the URL for waba.emulator.connect.
local function address_of(process) return ("%s/?token=%s"):format(process.control, process.token) end

-- Returns shell code that sets the environment variables for programs that use the emulator.
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

local function refuse(message, code)
  io.stderr:write("waba emulator: ", tostring(message), "\n")
  return code
end

-- Returns the exit code in the results of os.execute, which differ between versions of Lua.
local function exit_code(first, what, code)
  if type(first) == "number" then -- Lua 5.1 and LuaJIT return the wait status of the system
    return first >= 256 and math.floor(first / 256) or first > 0 and 128 + first % 128 or 0
  end
  return what == "signal" and 128 + code or code
end

-- Starts the emulator's process, runs a program, and stops the process when the program ends.
local function run_program(values, hosting, program)
  local emulator, err = require("waba.emulator").start(values)
  if not emulator then return refuse(err.message, 1) end
  local words = {}
  for i, word in ipairs(program) do words[i] = files.quote(word) end
  local mark = emulator.started.folder .. "/" .. files.PROGRAM
  if values.ui then print("# The page for your browser: " .. emulator:page()) end
  io.stdout:flush()
  local code = exit_code(os.execute(("%s\necho $$ >%s\nexec %s"):format(
    exports(hosting, { on_premise = emulator, cloud = emulator.cloud }, emulator.started), files.quote(mark),
    table.concat(words, " "))))
  os.remove(mark)
  emulator:stop()
  return code
end

local function serve(values, hosting, as_json)
  local loaded, message = options.with_folders(values)
  if not loaded then return refuse(message, 2) end
  local process
  process, message = require("waba.emulator.process").new(loaded)
  if not process then return refuse(message, 1) end
  local described = { on_premise = process.gateways.on_premise:describe(), cloud = process.gateways.cloud:describe() }
  local page = process.page and process.page.url
  if as_json then
    described.ca_file, described.emulator, described.page = process.ca_file, address_of(process), page
    print(core.encode(described))
  else
    print(exports(hosting, described, process))
    if page then print("# The page for your browser: " .. page) end
    print("# These lines are for a shell's eval. Ctrl-C ends the emulator.")
  end
  io.stdout:flush()
  process:run()
  return 0
end

--- Runs the command `waba emulator` with the arguments of the command line, and returns the exit code.
function main.shell(arguments)
  local own, program, help = split(arguments)
  if help then
    print(usage_text())
    return 0
  end
  local values, message = read_arguments(own)
  if not values then return refuse(message, 2) end
  local hosting, as_json = values.hosting or "on_premise", values.json
  values.hosting, values.json = nil, nil
  if not TITLES[hosting] then
    return refuse("--hosting must be on_premise or cloud, not " .. hosting, 2)
  elseif program and not program[1] then
    return refuse("the program after -- is missing", 2)
  end
  local valid, raised = pcall(options.check, values, "waba emulator")
  if not valid then return refuse((raised:gsub("^waba emulator: ", "")), 2) end
  message = missing_library()
  if message then return refuse(message, 1) end
  -- Both gateways have the same API key, so that D360_API_KEY is valid for both hostings.
  values.api_key = values.api_key or require("waba.emulator.random").letters(32)
  values.cloud.api_key = values.cloud.api_key or values.api_key
  if program then return run_program(values, hosting, program) end
  return serve(values, hosting, as_json)
end

if is_script then os.exit(main.shell(arg)) end

return main
