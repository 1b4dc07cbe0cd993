-- Splits the body of a request that sends a message into three parts: the message in the form of a builder, the
-- recipient, and the options of `client:send`. The body may be for either hosting.

local core = require "waba.core"

local null = core.null

local envelope = {}

local NOT_A_STRING = "must be a string"

-- The fields of a body other than the content, by name. Each function moves a value, or returns the reason why the
-- value can't be moved.
local move = {}

function move.to() end

function move.messaging_product() end

function move.recipient(parts, value)
  if parts.to == nil then parts.to = value end
end

function move.recipient_type(parts, value)
  if value == "group" then parts.to = { group_id = parts.to } end
end

function move.preview_url(parts, value)
  local text = parts.message.text
  if type(text) ~= "table" then return "belongs to texts only" end
  if text.preview_url ~= nil then return end
  -- a copy of the text gets the field, because the body must not change
  local copy = { preview_url = value }
  for name, member in pairs(text) do copy[name] = member end
  parts.message.text = copy
end

function move.context(parts, value)
  local id = type(value) == "table" and value.message_id
  if type(id) ~= "string" then return "has no message_id" end
  parts.options.reply_to = id
end

function move.biz_opaque_callback_data(parts, value)
  if type(value) ~= "string" then return NOT_A_STRING end
  parts.options.data = value
end

function move.recipient_identity_key_hash(parts, value)
  if type(value) ~= "string" then return NOT_A_STRING end
  parts.options.identity_key_hash = value
end

-- The fields other than the content that builders also write.
for _, name in ipairs { "category", "ttl_seconds", "direct_send_config" } do
  move[name] = function(parts, value) parts.message[name] = value end
end

-- A text may have no field `type`.
local function type_of(body)
  if body.type ~= nil and body.type ~= null then return body.type end
  return body.text ~= nil and body.text ~= null and "text" or nil
end

-- The names are sorted, so that the results have a defined order.
local function names_of(body)
  local names = {}
  for name in pairs(body) do names[#names + 1] = name end
  table.sort(names, function(x, y) return tostring(x) < tostring(y) end)
  return names
end

--- The parts of the body of a request.
---@class waba.EnvelopeParts
---@field message waba.Message      type and content, which are the body's own tables
---@field to any                    the recipient, in the form that `client:send` accepts
---@field options waba.SendOptions  the options of `client:send`
---@field errors { path: string, why: string }[]  the names of fields that could not be moved
---@field unknown any[]             the names of unknown fields

--- Splits a body. A null field counts as missing.
---@param body table  decoded; not changed
function envelope.part(body)
  local kind = type_of(body)
  local parts = { message = { type = kind }, to = body.to, options = {}, errors = {}, unknown = {} }
  if parts.to == null then parts.to = nil end
  if kind ~= nil and body[kind] ~= null then parts.message[kind] = body[kind] end
  for _, name in ipairs(names_of(body)) do
    local value = body[name]
    if name ~= "type" and name ~= kind and value ~= null then
      if move[name] then
        local why = move[name](parts, value)
        if why then parts.errors[#parts.errors + 1] = { path = name, why = why } end
      else
        parts.unknown[#parts.unknown + 1] = name
      end
    end
  end
  return parts
end

return envelope
