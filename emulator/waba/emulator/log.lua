-- The option `log`: writes a line for each request to the gateways, and for each attempt to deliver a webhook.

local json = require "waba.emulator.json"
local printable = require "waba.printable"

local log = {}

---@class waba.emulator.Log
local Log = {}
Log.__index = Log
Log.__name = "waba.emulator.Log"

function log.new(write) return setmetatable({ write = write }, Log) end

-- The number of characters of a text that are logged.
local EXCERPT = 60

local function excerpt(text)
  text = printable.line(text)
  local length, cut = 0, #text
  for at in text:gmatch("()[^\128-\191]") do
    length = length + 1
    if length == EXCERPT + 1 then cut = at - 1 end
  end
  return cut < #text and text:sub(1, cut) .. "…" or text
end

-- Returns the readable part of a message's content: its text, caption or body, or the name of a template.
local function text_of(content)
  if type(content) ~= "table" then return "" end
  local body = type(content.body) == "table" and content.body.text or content.body
  local text = body or content.caption or content.text or content.name or content.title
  return type(text) == "string" and ": " .. excerpt(text) or ""
end

local function shown(value) return type(value) == "string" and excerpt(value) or "?" end

-- Describes a message, such as "text to 491511234567: Hello".
local function describe_message(message, direction, person)
  return ("%s %s %s%s"):format(shown(message.type), direction, shown(person), text_of(message[message.type]))
end

local function describe_body(text)
  local body = type(text) == "string" and json.decode(text)
  if type(body) ~= "table" then return "" end
  local person = body.to or body.recipient
  if type(body.type) == "string" and person then return "  " .. describe_message(body, "to", person) end
  return type(body.status) == "string" and "  " .. excerpt(body.status) or ""
end

local function each(list) return ipairs(type(list) == "table" and list or {}) end

-- Returns the objects that contain a webhook's events: its body (On-Premise), or the values of its changes (Cloud).
local function values_of(body)
  local values = { body }
  for _, entry in each(body.entry) do
    for _, change in each(entry.changes) do values[#values + 1] = change.value end
  end
  return values
end

local function describe_webhook(text)
  local body, parts = json.decode(text), {}
  for _, value in each(type(body) == "table" and values_of(body)) do
    for _, message in each(value.messages) do
      parts[#parts + 1] = describe_message(message, "from", message.from or message.from_user_id)
    end
    for _, status in each(value.statuses) do parts[#parts + 1] = "status " .. shown(status.status) end
  end
  return #parts > 0 and "  " .. table.concat(parts, "; ") or ""
end

--- Writes a line for a request and its response.
function Log:request(hosting, request, response)
  self.write(("%s  %s %s  %s%s"):format(hosting, request.method, excerpt(request.path),
    response.status == 0 and "cut off" or tostring(response.status), describe_body(request.body)))
end

--- Writes a line for an attempt to deliver a webhook.
function Log:webhook(hosting, attempt)
  self.write(("%s  webhook to %s  %s%s"):format(hosting, excerpt(attempt.url),
    attempt.status and tostring(attempt.status) or excerpt(attempt.error), describe_webhook(attempt.body)))
end

return log
