-- Divides the body of a request of either hosting into a message, a recipient, and the options of `client:send`.

local core = require "waba.core"

local null = core.null

local envelope = {}

-- For each field of a body except the type and the content, a function that moves the value of the field into the
-- parts. If the value is invalid, the function returns the reason.
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
  -- the text is copied, because the body must not change
  local copy = { preview_url = value }
  for name, member in pairs(text) do copy[name] = member end
  parts.message.text = copy
end

function move.context(parts, value)
  local id = type(value) == "table" and value.message_id
  if type(id) ~= "string" then return "has no message_id" end
  parts.options.reply_to = id
end

for name, option in pairs { biz_opaque_callback_data = "data", recipient_identity_key_hash = "identity_key_hash" } do
  move[name] = function(parts, value)
    if type(value) ~= "string" then return "must be a string" end
    parts.options[option] = value
  end
end

for _, name in ipairs { "category", "ttl_seconds", "direct_send_config" } do
  move[name] = function(parts, value) parts.message[name] = value end
end

local function type_of(body)
  if body.type ~= nil and body.type ~= null then return body.type end
  return body.text ~= nil and body.text ~= null and "text" or nil
end

---@class waba.EnvelopeParts
---@field message waba.Message      type and content; the content is not copied
---@field to any                    the recipient, in the form that `client:send` accepts
---@field options waba.SendOptions
---@field errors waba.migrate.Lack[]  the fields with invalid values
---@field unknown any[]             the names of unknown fields

-- Returns the parts of a body, and does not change the body. Fields with the value null count as missing.
function envelope.part(body)
  local kind = type_of(body)
  local parts = { message = { type = kind }, to = body.to, options = {}, errors = {}, unknown = {} }
  if parts.to == null then parts.to = nil end
  if kind ~= nil and body[kind] ~= null then parts.message[kind] = body[kind] end
  local names = {}
  for name in pairs(body) do names[#names + 1] = name end
  table.sort(names, function(x, y) return tostring(x) < tostring(y) end)
  for _, name in ipairs(names) do
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
