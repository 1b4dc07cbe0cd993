-- Reads the bytes of a webhook from either hosting into events. `waba.events` is `events.read`.

local cloud = require "waba.hosting.cloud.webhook"
local core = require "waba.core"
local errors = require "waba.errors"
local on_premise = require "waba.hosting.on_premise.webhook"

local decode, type = core.decode, type
local wa_id = require("waba.hosting.values").wa_id

local events = {}

local read_flat, read_wrapped = on_premise.read, cloud.read

-- Returns whether a body is from Cloud hosting, which writes everything into `entry`. A body without `entry` is from
-- Cloud hosting, too, if it has another field that On-Premise hosting never writes.
local function is_wrapped(body)
  local changes, metadata = body.changes, body.metadata
  return body.entry ~= nil or body.object == "whatsapp_business_account" or body.messaging_product == "whatsapp"
    or changes ~= nil and type(changes) == "table" or metadata ~= nil and type(metadata) == "table"
end

local function protocol_error(message)
  return errors.new { kind = "protocol", message = message }
end

-- `core.decode` returns the JSON text of each element of these lists.
local LISTS = { messages = true, statuses = true, errors = true }

--- Reads a webhook: every event of every entry, in order. An event of an unknown type has its name in `type` and its
--- content in `raw`, so every JSON object can be read.
---@param bytes string  the body of the POST request
---@param sources? table<integer, string>  a table into which the function writes the JSON text of `event.raw`, at the
---        position of each event; a few rare events have no text
---@return waba.Event[]|nil events
---@return waba.Error? err  kind "protocol": the body is not a JSON object
function events.read(bytes, sources)
  if type(bytes) ~= "string" then error("waba.events: the body must be a string, not a " .. type(bytes), 2) end
  local body, texts = decode(bytes, sources and LISTS)
  if body == nil then return nil, protocol_error("the body of the webhook is not JSON: " .. tostring(texts)) end
  local list = type(body) == "table" and body[1] == nil and (is_wrapped(body) and read_wrapped or read_flat)(body)
  if not list or list[1] == nil and next(body) == nil and bytes:find "^%s*%[" then
    return nil, protocol_error "the body of the webhook is not a JSON object"
  end
  if sources then
    for index = 1, #list do sources[index] = texts[list[index].raw] end
  end
  return list
end

--- The first byte of the results of `store`.
events.MARK = "\3"

-- The kinds of events that `store` accepts.
local RESTORED = { message = true, status = true, error = true }

-- The fields of the latest stored event without a contact, and their text. Consecutive events often have the same
-- fields.
local latest, latest_start = {}, nil

local function start_of(event)
  local kind, number, id, contact = event.kind, event.number, event.phone_number_id, event.contact
  if not contact and latest.kind == kind and latest.number == number and latest.phone_number_id == id
    and latest.waba_id == event.waba_id and latest.hosting == event.hosting then
    return latest_start
  end
  local fields = {
    kind = kind, hosting = event.hosting, number = number, phone_number_id = id, waba_id = event.waba_id,
    contact = contact,
  }
  local json = core.encode(fields)
  local start = json and events.MARK .. json:sub(1, -2) .. ',"raw":'
  if not contact then latest, latest_start = fields, start end
  return start
end

--- Converts an event to MARK and a JSON text, from which `restore` creates the event again.
---@param event waba.Event
---@param source string  the JSON text that `read` has stored for this event in its argument `sources`
---@return string|nil stored  nil for an event of a kind that is never stored in this way
function events.store(event, source)
  local start = RESTORED[event.kind] and start_of(event)
  return start and start .. source .. "}" or nil
end

--- Creates an event again from the text that `store` has returned. Raises an error for another text.
---@param text string
---@return waba.Event
function events.restore(text)
  local stored = assert(decode(text, nil, #events.MARK))
  local reader = (stored.hosting == "cloud" and cloud or on_premise).reader
  local raw, kind = stored.raw, stored.kind
  assert(type(raw) == "table" and RESTORED[kind])
  if kind == "message" then return reader.message(raw, wa_id(raw.from), stored.contact, stored) end
  if kind == "error" then return reader.error(raw, stored) end
  local event = reader.status(raw, stored)
  event.contact = stored.contact
  return event
end

return events
