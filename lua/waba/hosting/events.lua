-- Reads the bytes of a webhook into events, whichever hosting sent them. `waba.events` is this module.

local cloud = require "waba.hosting.cloud.webhook"
local core = require "waba.core"
local errors = require "waba.errors"
local on_premise = require "waba.hosting.on_premise.webhook"

local decode, type = core.decode, type

local events = {}

local read_flat, read_wrapped = on_premise.read, cloud.read

-- Cloud hosting wraps everything in `entry`; On-Premise hosting writes a flat object. Fields that only Cloud hosting writes
-- identify a body without `entry`.
local function is_wrapped(body)
  local changes, metadata = body.changes, body.metadata
  return body.entry ~= nil or changes ~= nil and type(changes) == "table"
    or metadata ~= nil and type(metadata) == "table"
    or body.object == "whatsapp_business_account" or body.messaging_product == "whatsapp"
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
  local body, message = decode(bytes)
  if body == nil then return nil, protocol_error("the body of the webhook is not JSON: " .. tostring(message)) end
  local list = type(body) == "table" and body[1] == nil and (is_wrapped(body) and read_wrapped or read_flat)(body)
  if not list or list[1] == nil and next(body) == nil and bytes:find "^%s*%[" then
    return nil, protocol_error "the body of the webhook is not a JSON object"
  end
  return list
end

return events
