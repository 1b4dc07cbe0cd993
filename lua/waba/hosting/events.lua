-- Reads the bytes of a webhook into events, whichever hosting sent them. `waba.events` is this module.

local core = require "waba.core"
local errors = require "waba.errors"

local events = {}

-- Readers by the shape of the body.
local READERS = { flat = require "waba.hosting.on_premise.webhook", wrapped = require "waba.hosting.cloud.webhook" }

-- Cloud hosting wraps everything in `entry`; On-Premise hosting writes a flat object. Fields that only Cloud hosting
-- writes identify a body without `entry`.
local function shape_of(body)
  local changes, metadata = body.changes, body.metadata
  local is_wrapped = body.entry ~= nil or changes ~= nil and type(changes) == "table"
    or metadata ~= nil and type(metadata) == "table"
    or body.object == "whatsapp_business_account" or body.messaging_product == "whatsapp"
  return is_wrapped and "wrapped" or "flat"
end

local function protocol_error(message)
  return errors.new { kind = "protocol", message = message }
end

--- Reads a webhook: every event of every entry, in order. Each JSON object can be read; an unknown event has its name
--- in `type` and its content in `raw`.
---@param bytes string  the body of the POST
---@return waba.Event[]|nil events
---@return waba.Error? err  kind "protocol": the body is not a JSON object
function events.read(bytes)
  if type(bytes) ~= "string" then error("waba.events: the body must be a string, not a " .. type(bytes), 2) end
  local body, message = core.decode(bytes)
  if body == nil then return nil, protocol_error("the body of the webhook is not JSON: " .. tostring(message)) end
  if type(body) ~= "table" or body[1] ~= nil or next(body) == nil and bytes:find("^%s*%[") then
    return nil, protocol_error("the body of the webhook is not a JSON object")
  end
  return READERS[shape_of(body)].read(body)
end

return events
