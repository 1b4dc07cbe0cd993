-- Requested failures: the commands of the program for the next requests, and for the statuses of the
-- next messages.

local json = require "waba.emulator.json"

local failures = {}

--- An command for requests; see emulator:fail_next.
---@class waba.emulator.Failure.Command
---@field times number

local Failures = {}
Failures.__index = Failures
Failures.__name = "waba.emulator.Failures"

---@param chance fun(): number
---@param row fun(code: integer, details: string?, title: string?): table  the platform's error object
---@return table
function failures.new(chance, row)
  return setmetatable({ chance = chance, row = row, requests = {}, statuses = {} }, Failures)
end

--- Adds a failure of requests.
---@param command table
function Failures:add_request(command)
  command.times = command.times or 1
  self.requests[#self.requests + 1] = command
end

--- Adds a failure of the status of messages.
---@param command table
function Failures:add_status(command)
  command.times = command.times or 1
  self.statuses[#self.statuses + 1] = command
end

--- Removes all commands.
function Failures:clear()
  self.requests, self.statuses = {}, {}
end

local function use(self, list, i)
  local command = list[i]
  if command.share and self.chance() >= command.share then return nil end
  command.times = command.times - 1
  if command.times <= 0 then table.remove(list, i) end
  return command
end

--- Whether a path is the wanted one; a text that begins with ^ is a Lua pattern.
---@param path string
---@param wanted string
---@return boolean
function failures.path_matches(path, wanted)
  if wanted:sub(1, 1) == "^" then return path:find(wanted) ~= nil end
  return path == wanted
end

local function message_type(request)
  local body = request.body and request.body:sub(1, 1) == "{" and json.decode(request.body)
  return type(body) == "table" and (body.type or body.text and "text") or nil
end

local function request_matches(command, request)
  return (not command.method or command.method:upper() == request.method)
    and (not command.path or failures.path_matches(request.path, command.path))
    and (not command.type or command.type == message_type(request))
end

--- Takes the command that applies to a request, if any.
---@param request waba.emulator.Request
---@return table|nil command
function Failures:take_request(request)
  for i, command in ipairs(self.requests) do
    if request_matches(command, request) then
      local used = use(self, self.requests, i)
      if used then return used end
    end
  end
end

--- Returns the error objects of a command: its field `errors`, or one made from its code.
---@param command table
---@return table[]|nil
function Failures:rows(command)
  if command.errors then return command.errors end
  if command.code then return { self.row(command.code, command.details, command.title) } end
end

--- Takes the failure that a message falls under, if any.
---@param wa_id string
---@param kind string  type of the message
---@return { errors: table[], after: string?, status: string? }|nil
function Failures:take_status(wa_id, kind)
  for i, command in ipairs(self.statuses) do
    if (not command.to or command.to:gsub("%D", "") == wa_id) and (not command.type or command.type == kind) then
      local used = use(self, self.statuses, i)
      if used then return { errors = self:rows(used), after = used.after, status = used.status } end
    end
  end
end

return failures
