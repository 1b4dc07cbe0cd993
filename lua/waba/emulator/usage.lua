-- What the emulator says in a shell: its options, and where its gateways are.

local files = require "waba.emulator.files"

local usage = {}

local WIDTH = 79
local INDENT = 6

-- A text in lines of the terminal's usual width, each indented.
local function wrap(text)
  local lines, line = {}, ""
  for word in text:gmatch("%S+") do
    if line ~= "" and #line + #word + 1 > WIDTH - INDENT then
      lines[#lines + 1], line = line, ""
    end
    line = line == "" and word or line .. " " .. word
  end
  lines[#lines + 1] = line
  local margin = (" "):rep(INDENT)
  return margin .. table.concat(lines, "\n" .. margin)
end

-- What stands behind an option's name.
local function value_of(kind)
  if kind == "boolean" then
    return ""
  elseif kind:find("number") or kind:find("integer") then
    return " <number>"
  end
  return " <text>"
end

--- The options, as `waba emulator --help` shows them.
---@param options table  waba.emulator.options
---@return string
function usage.text(options)
  local lines = { "Usage: waba emulator [--option value] ...", "",
    "The gateway on your own machine, for both hostings. Ctrl-C ends it.", "",
    "A switch takes true or false; without a value it is true.",
    "--json prints where it is as one line of JSON." }
  local function add(title, prefix, list)
    lines[#lines + 1] = "\n" .. title
    for _, row in ipairs(list) do
      if row[2] ~= "table" then
        local default = (type(row[3]) == "number" or type(row[3]) == "string" or row[3] == true)
          and (" (%s)"):format(tostring(row[3])) or ""
        lines[#lines + 1] = ("  --%s%s%s"):format(prefix, row[1]:gsub("_", "-"), value_of(row[2]))
        lines[#lines + 1] = wrap(row[4] .. default)
      end
    end
  end
  add("Options:", "", options.list)
  add("Webhooks:", "webhook-", options.webhooks)
  add("The Cloud gateway (any option above may begin with --cloud- too):", "cloud-", options.cloud)
  return table.concat(lines, "\n")
end

--- Parts words from the other arguments.
---@param arguments string[]
---@param ... string  the words
---@return table<string, true> found
---@return string[] left
function usage.take(arguments, ...)
  local wanted, found, left = {}, {}, {}
  for _, word in ipairs({ ... }) do
    wanted[word] = true
  end
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
local function shell_value(text)
  return text:find("^[%w_./:-]*$") and text or files.quote(text)
end

--- Where a gateway is: lines that a shell takes as they stand.
---@param hosting "on_premise"|"cloud"
---@param face { number: string, url: string, api_key: string }
---@param ca_file string|nil
---@return string
function usage.exports(hosting, face, ca_file)
  local title = hosting == "cloud" and "Cloud" or "On-Premise"
  return table.concat({
    ("# %s hosting, the number %s:"):format(title, face.number),
    "export D360_API_KEY=" .. shell_value(face.api_key),
    "export WABA_HOSTING=" .. hosting,
    "export WABA_BASE_URL=" .. shell_value(face.url),
    "export WABA_CA_FILE=" .. shell_value(ca_file or ""),
  }, "\n")
end

return usage
