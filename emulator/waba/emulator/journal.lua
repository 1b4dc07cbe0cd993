-- Records what happens at a gateway: the newest entries in ring buffers, messages in the file of the option `record`,
-- and requests in the lines of the option `log`.

local core = require "waba.core"
local json = require "waba.emulator.json"
local printable = require "waba.printable"

local journal = {}

---@class waba.emulator.Ring
---@field count integer  the number of entries that were added so far
local Ring = {}
Ring.__index = Ring
Ring.__name = "waba.emulator.Ring"

--- Creates an empty ring buffer for `capacity` entries. Calls `forget` with each entry that a new entry replaces.
function journal.ring(capacity, forget)
  return setmetatable({ capacity = capacity, forget = forget or function() end, entries = {}, count = 0 }, Ring)
end

--- Adds an entry, and sets its field `sequence`: 1 for the first entry, 2 for the second.
function Ring:add(entry)
  self.count = self.count + 1
  entry.sequence = self.count
  local place = (self.count - 1) % self.capacity + 1
  if self.entries[place] then self.forget(self.entries[place]) end
  self.entries[place] = entry
  return entry
end

--- Returns the entries for which `wanted` returns true, oldest first; without `wanted`, returns all entries.
function Ring:list(wanted)
  local list = {}
  for sequence = math.max(1, self.count - self.capacity + 1), self.count do
    local entry = self.entries[(sequence - 1) % self.capacity + 1]
    if not wanted or wanted(entry) then list[#list + 1] = entry end
  end
  return list
end

--- Opens the file of the option `record`, with mode 600. Returns a function that appends the JSON of a message to the
--- file, and raises an error if the file can't be written; or nil and an error message.
function journal.open_record(path)
  core.make_private(path) -- the result is not checked: if make_private fails, io.open fails too
  local file, message = io.open(path, "ab")
  if not file then return nil, "option record: the file can't be opened: " .. message end
  file:setvbuf("no") -- the file has no buffer, because the process may be killed at any time
  return function(hosting, entry)
    assert(file:write(json.encode({ hosting = hosting, id = entry.id, to = entry.to, type = entry.type,
      content = entry.content, at = entry.at }) .. "\n"))
  end
end

-- The option `log` --------------------------------------------------------------------------------

local Log = {}
Log.__index = Log
Log.__name = "waba.emulator.Log"

--- Creates a log that calls `write` with each line.
function journal.new_log(write) return setmetatable({ write = write }, Log) end

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

function Log:request(hosting, request, response)
  self.write(("%s  %s %s  %s%s"):format(hosting, request.method, excerpt(request.path),
    response.status == 0 and "cut off" or tostring(response.status), describe_body(request.body)))
end

--- Writes a line for an attempt to deliver a webhook.
function Log:webhook(hosting, attempt)
  self.write(("%s  webhook to %s  %s%s"):format(hosting, excerpt(attempt.url),
    attempt.status and tostring(attempt.status) or excerpt(attempt.error), describe_webhook(attempt.body)))
end

return journal
