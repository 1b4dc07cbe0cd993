-- What the command prints: the emulator's options, and the addresses of its gateways.

local files = require "waba.emulator.files"
local option_types = require "waba.options"

local usage = {}

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

--- The options, as `waba emulator --help` shows them.
---@param options table  waba.emulator.options
---@return string
function usage.text(options)
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

--- Separates some arguments from the others.
---@param arguments string[]
---@param ... string  the words
---@return table<string, true> found
---@return string[] left
function usage.take(arguments, ...)
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

--- The variables for programs that use the emulator, as lines of shell code without an empty line.
---@param hosting "on_premise"|"cloud"  the gateway that they select; for "on_premise" WABA_CLOUD_BASE_URL is added
---@param described { on_premise: { number: string, url: string, api_key: string }, cloud: table }
---@param ca_file string|nil
---@return string
function usage.exports(hosting, described, ca_file)
  local gateway, cloud = described[hosting], described.cloud
  local lines = {
    ("# %s hosting, the number %s:"):format(TITLES[hosting], gateway.number),
    "export D360_API_KEY=" .. shell_value(gateway.api_key),
    "export WABA_HOSTING=" .. hosting,
    "export WABA_BASE_URL=" .. shell_value(gateway.url),
    "export WABA_CA_FILE=" .. shell_value(ca_file or ""),
  }
  if hosting == "on_premise" and cloud.api_key == gateway.api_key then
    lines[#lines + 1] = ('# Cloud hosting, the number %s, for programs with hosting = "cloud":'):format(cloud.number)
    lines[#lines + 1] = "export WABA_CLOUD_BASE_URL=" .. shell_value(cloud.url)
  end
  return table.concat(lines, "\n")
end

return usage
