-- Reads the bytes of a webhook into events, whichever hosting sent them. `waba.events` is this.

local core = require "waba.core"
local errors = require "waba.errors"

local events = {}

-- Readers by the shape of the body, loaded when the first body of that shape arrives.
local READERS = { flat = "waba.hosting.on_premise.webhook" }

-- Cloud wraps everything in `entry`; On-Premise writes a flat object.
local function shape_of(body)
  if type(body.entry) == "table" then return "wrapped" end
  return "flat"
end

local function protocol_error(message)
  return errors.new { kind = "protocol", message = message }
end

--- Reads a webhook: every event of every entry, in order. Nothing that is valid JSON fails; what is
--- unknown keeps its name in `type` and its content in `raw`.
---@param bytes string  the body of the POST
---@return waba.Event[]|nil events
---@return waba.Error? err  kind "protocol": the body is no JSON, or no object
function events.read(bytes)
  if type(bytes) ~= "string" then error("waba.events: the body must be a string, not a " .. type(bytes), 2) end
  local body, message = core.decode(bytes)
  if body == nil then return nil, protocol_error("the body of the webhook is not JSON: " .. tostring(message)) end
  if type(body) ~= "table" or body[1] ~= nil or next(body) == nil and bytes:find("^%s*%[") then
    return nil, protocol_error("the body of the webhook is no JSON object")
  end
  local reader = READERS[shape_of(body)]
  if not reader then return nil, protocol_error("the body of the webhook has the shape of Cloud hosting") end
  return require(reader).read(body)
end

return events
