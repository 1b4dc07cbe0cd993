-- Faults on demand: what the program has ordered for the next requests, and for the statuses of the
-- next messages.

local json = require "waba.emulator.json"

local faults = {}

--- An order for requests; see emulator:fail_next.
---@class waba.emulator.Fault.Order
---@field times number

local Faults = {}
Faults.__index = Faults
Faults.__name = "waba.emulator.Faults"

---@param chance fun(): number
---@param row fun(code: integer, details: string?, title: string?): table  the platform's error object
---@return table
function faults.new(chance, row)
  return setmetatable({ chance = chance, row = row, requests = {}, statuses = {} }, Faults)
end

--- Orders a fault for requests.
---@param order table
function Faults:add_request(order)
  order.times = order.times or 1
  self.requests[#self.requests + 1] = order
end

--- Orders a failure for the status of messages.
---@param order table
function Faults:add_status(order)
  order.times = order.times or 1
  self.statuses[#self.statuses + 1] = order
end

--- Forgets all orders.
function Faults:clear()
  self.requests, self.statuses = {}, {}
end

local function use(self, list, i)
  local order = list[i]
  if order.share and self.chance() >= order.share then return nil end
  order.times = order.times - 1
  if order.times <= 0 then table.remove(list, i) end
  return order
end

--- Whether a path is the wanted one; a text that begins with ^ is a Lua pattern.
---@param path string
---@param wanted string
---@return boolean
function faults.path_matches(path, wanted)
  if wanted:sub(1, 1) == "^" then return path:find(wanted) ~= nil end
  return path == wanted
end

local function message_type(request)
  local body = request.body and request.body:sub(1, 1) == "{" and json.decode(request.body)
  return type(body) == "table" and (body.type or body.text and "text") or nil
end

local function request_matches(order, request)
  return (not order.method or order.method:upper() == request.method)
    and (not order.path or faults.path_matches(request.path, order.path))
    and (not order.type or order.type == message_type(request))
end

--- Takes the order that a request falls under, if any.
---@param request waba.emulator.Request
---@return table|nil order
function Faults:take_request(request)
  for i, order in ipairs(self.requests) do
    if request_matches(order, request) then
      local used = use(self, self.requests, i)
      if used then return used end
    end
  end
end

--- The error objects of an order: those it has, or the one of its code.
---@param order table
---@return table[]|nil
function Faults:rows(order)
  if order.errors then return order.errors end
  if order.code then return { self.row(order.code, order.details, order.title) } end
end

--- Takes the failure that a message falls under, if any.
---@param wa_id string
---@param kind string  type of the message
---@return { errors: table[], after: string?, status: string? }|nil
function Faults:take_status(wa_id, kind)
  for i, order in ipairs(self.statuses) do
    if (not order.to or order.to:gsub("%D", "") == wa_id) and (not order.type or order.type == kind) then
      local used = use(self, self.statuses, i)
      if used then return { errors = self:rows(used), after = used.after, status = used.status } end
    end
  end
end

return faults
