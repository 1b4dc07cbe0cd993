-- Requested failures: commands of the program that let the next requests or the next messages fail.

local json = require "waba.emulator.json"

local failures = {}

---@class waba.emulator.Failures
---@field requests table[]  commands of emulator:fail_next
---@field statuses table[]  commands of emulator:fail_status
local Failures = {}
Failures.__index = Failures
Failures.__name = "waba.emulator.Failures"

--- Creates an empty list of failures. `row(code, details, title)` returns an error object in the platform's form.
function failures.new(chance, row)
  return setmetatable({ chance = chance, row = row, requests = {}, statuses = {} }, Failures)
end

function Failures:add(list, command)
  command.times = command.times or 1
  table.insert(self[list], command)
  return true
end

function Failures:clear()
  self.requests, self.statuses = {}, {}
  return true
end

-- Returns the first command that applies, and counts its use. A command applies with the probability `share` if it has
-- this field.
local function take(self, list, applies)
  for i, command in ipairs(list) do
    if applies(command) and not (command.share and self.chance() >= command.share) then
      command.times = command.times - 1
      if command.times <= 0 then table.remove(list, i) end
      return command
    end
  end
end

--- Returns whether a path is equal to the wanted path. If `wanted` begins with ^, it is a Lua pattern.
function failures.path_matches(path, wanted)
  if wanted:sub(1, 1) == "^" then return path:find(wanted) ~= nil end
  return path == wanted
end

local function message_type(request)
  local body = request.body and request.body:sub(1, 1) == "{" and json.decode(request.body)
  return type(body) == "table" and (body.type or body.text and "text") or nil
end

--- Returns the command that applies to a request, or nil. Counts the use of the command.
function Failures:take_request(request)
  return take(self, self.requests, function(command)
    return (not command.method or command.method:upper() == request.method)
      and (not command.path or failures.path_matches(request.path, command.path))
      and (not command.type or command.type == message_type(request))
  end)
end

--- Returns the error objects of a command: its field `errors`, or one object that is created from its code.
function Failures:rows(command)
  if command.errors then return command.errors end
  if command.code then return { self.row(command.code, command.details, command.title) } end
end

--- Returns the command that applies to a message of this type and recipient, or nil. Counts the use of the command. The
--- result describes the failure: its `errors`, the last status before it (`after`), and its `status`.
function Failures:take_status(wa_id, kind)
  local command = take(self, self.statuses, function(command)
    return (not command.to or command.to:gsub("%D", "") == wa_id) and (not command.type or command.type == kind)
  end)
  return command and { errors = self:rows(command), after = command.after, status = command.status } or nil
end

return failures
