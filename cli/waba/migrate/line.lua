-- Reads one line of a log: the body of a message, or a request with method, path and body. Says what it becomes.

local core = require "waba.core"
local errors = require "waba.errors"
local report = require "waba.migrate.report"
local requests = require "waba.migrate.requests"

local null = core.null

local line = {}

local function object(value)
  if type(value) == "table" and value[1] == nil then return value end
end

local function text(value)
  if type(value) == "string" and value ~= "" then return value end
end

-- Logs name them so or so.
local PATHS, BODIES = { "path", "url", "uri" }, { "json", "body", "data", "payload" }

local function first(entry, names, read)
  for _, name in ipairs(names) do
    local value = entry[name]
    if value ~= nil and value ~= null then
      value = read(value)
      if value ~= nil then return value end
    end
  end
end

-- A body that is logged as text.
local function decoded(value)
  if type(value) == "table" then return value end
  if type(value) == "string" and value:find "^%s*{" then return core.decode(value) end
end

-- Bodies that are no messages, without their request: what they were sent to.
local function request_of(body)
  if body.blocking ~= nil or body.force_check ~= nil then return "POST", "/v1/contacts" end
  if body.status == "read" and body.type == nil and body.message_id == nil then return "PUT", "/v1/messages/{id}" end
end

local MESSAGE = { "type", "to", "text", "recipient_type" }

local function is_message(entry)
  for _, name in ipairs(MESSAGE) do
    if entry[name] ~= nil then return true end
  end
  return false
end

-- Where Cloud hosting takes messages.
local SENDS = { ["/messages"] = true, ["/marketing_messages"] = true }

-- A message that was sent: its bodies, and the requests around them.
local function read_send(method, path, body)
  local made, err = report.message(body)
  if not made then return nil, err end
  made.kind, made.method, made.path = "request", method, path
  local target = SENDS[path] and path or "/messages"
  made.cloud = made.cloud and { method = "POST", path = target, body = made.cloud }
  if target ~= path then table.insert(made.changes, 1, { path = "path", what = "becomes POST " .. target }) end
  return made
end

local function read_request(method, url, body)
  method = method:upper()
  local path = requests.path_of(url)
  local is_send = requests.name_of(method, url) == "send" or method == "POST" and SENDS[path]
  if is_send and object(body) and body.status ~= "read" then return read_send(method, path, body) end
  if is_send and not object(body) then return nil, errors.invalid("body", "body is no JSON object") end
  local made = requests.map(method, url, object(body))
  made.kind, made.method, made.path = "request", method, path
  return made
end

-- What a log has put around a request, or around a body.
local function unwrapped(entry)
  if text(entry.method) then return entry end
  local inner = object(entry.request)
  if inner and text(inner.method) then return inner end
  if is_message(entry) then return entry end
  inner = object(first(entry, BODIES, decoded))
  return inner and is_message(inner) and inner or entry
end

local function read_entry(entry)
  entry = unwrapped(entry)
  local method, url = text(entry.method), first(entry, PATHS, text)
  if method and url then return read_request(method, url, first(entry, BODIES, decoded)) end
  method, url = request_of(entry)
  if method then return read_request(method, url, entry) end
  if not is_message(entry) then
    return nil, errors.invalid("line", "line is neither a message nor a request: it has no type, no to, no method")
  end
  local made, err = report.message(entry)
  if made then made.kind = "message" end
  return made, err
end

local function broken(why)
  return { kind = "broken", changes = {}, lacking = {}, error = why }
end

--- Reads a line.
---@param bytes string
---@return waba.ScannedLine  without its number
function line.read(bytes)
  if not core.utf8_length(bytes) then return broken "is no UTF-8" end
  local entry, fault = core.decode(bytes)
  if not object(entry) then return broken("is no JSON object" .. (fault and ": " .. fault or "")) end
  local made, err = read_entry(entry)
  return made or broken(err.message)
end

--- A line that was not kept.
---@return waba.ScannedLine
function line.too_long()
  return broken "is too long to be read"
end

return line
