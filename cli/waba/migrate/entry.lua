-- Converts one line of a log of On-Premise requests to the format of Cloud hosting. A line has the body of a message,
-- or a request with method, path and body.

local core = require "waba.core"
local errors = require "waba.errors"
local report = require "waba.migrate.report"
local requests = require "waba.migrate.requests"

local null = core.null

local entries = {}

local function object(value)
  if type(value) == "table" and value[1] == nil then return value end
end

local function text(value)
  if type(value) == "string" and value ~= "" then return value end
end

-- The names that logs use for the path and for the body of a request.
local PATHS, BODIES = { "path", "url", "uri" }, { "json", "body", "data", "payload" }

-- Calls `read` with the fields `names`, and returns the first result that is not nil.
local function first(entry, names, read)
  for _, name in ipairs(names) do
    local value = entry[name]
    if value ~= nil and value ~= null then value = read(value) end
    if value ~= nil and value ~= null then return value end
  end
end

-- Some logs contain bodies as JSON in a string.
local function decoded(value)
  if type(value) == "table" then return value end
  if type(value) == "string" and value:find "^%s*{" then return core.decode(value) end
end

-- Returns the method and the path of a request, recognised by its body, for logs that have only the bodies.
local function request_of(body)
  if body.blocking ~= nil or body.force_check ~= nil then return "POST", "/v1/contacts" end
  if body.status == "read" and body.type == nil and body.message_id == nil then return "PUT", "/v1/messages/{id}" end
end

local function is_message(entry)
  return entry.type ~= nil or entry.to ~= nil or entry.text ~= nil or entry.recipient_type ~= nil
end

local SENDS = { ["/messages"] = true, ["/marketing_messages"] = true }

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
  if is_send and not object(body) then return nil, errors.invalid("body", "body must be a JSON object") end
  local made = requests.map(method, url, object(body))
  made.kind, made.method, made.path = "request", method, path
  return made
end

-- Returns the object with the request or the message, which some logs write inside another object.
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
    return nil, errors.invalid("line", "line is neither a message nor a request: expected the field \"type\" or "
      .. "\"to\" of a message, or the fields \"method\" and \"path\" of a request")
  end
  local made, err = report.message(entry)
  if made then made.kind = "message" end
  return made, err
end

local function broken(why)
  return { kind = "broken", changes = {}, lacking = {}, error = why }
end

---@return waba.ScannedLine  the result without the line number
function entries.read(bytes)
  if not core.utf8_length(bytes) then return broken "is not valid UTF-8" end
  local entry, message = core.decode(bytes)
  if not object(entry) then return broken("must be a JSON object" .. (message and ": " .. message or "")) end
  local made, err = read_entry(entry)
  return made or broken(err.message)
end

function entries.too_long()
  return broken "is longer than 4 MB, the maximum of a request"
end

return entries
