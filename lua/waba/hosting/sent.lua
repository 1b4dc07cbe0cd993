-- Reads the response to an accepted message (on-premise.md, section 2.2; cloud.md, section 2.1).

local core = require "waba.core"
local values = require "waba.hosting.values"

local text, object, dig, type = values.some_text, values.object, values.dig, type

local sent = {}

local SUMMARY = {} -- `sent.read` recognises the tables of `sent.summary` by this key

--- An accepted message.
---@class waba.Sent
---@field id string?        the id of the message, as in its statuses; nil only in 360dialog's sandbox
---@field wa_id string?     the recipient's id at WhatsApp, which may differ from the phone number
---@field input string      the recipient in the request
---@field user_id string?   Cloud: the recipient's business-scoped user id, if the message was sent to this id
---@field status string?    Cloud, templates: "accepted", "held_for_quality_assessment" or "paused"
---@field group_id string?  Cloud: the group, if the message was sent to a group

local pick -- the first call of `sent.summary` sets `pick`

--- Picks the known fields from a 2xx body of the usual form, for `sent.read`. Returns nil if the body has another form
--- and must be decoded.
function sent.summary(body)
  pick = pick or core.picker("messages.id", "messages.message_status", "messages.group_id", "contacts.wa_id",
    "contacts.input", "contacts.user_id", "meta", "messaging_product")
  local id, status, group_id, wa_id, input, user_id = pick(body)
  if id == nil or id == "" then return nil end
  if wa_id == "" then wa_id = nil end
  if input == "" then input = nil end
  local summary = { id = id, wa_id = wa_id, input = input, [SUMMARY] = true }
  -- the three fields are set only if they have a value, because a smaller table needs less memory
  if status and status ~= "" then summary.status = status end
  if group_id and group_id ~= "" then summary.group_id = group_id end
  if user_id and user_id ~= "" then summary.user_id = user_id end
  return summary
end

--- Returns the waba.Sent of a decoded body or of a summary; nil if the response has no message id.
function sent.read(json, to)
  if type(json) ~= "table" then return nil end
  if json[SUMMARY] then
    json[SUMMARY] = nil
    if not json.input then json.input = to end
    return json
  end
  local message, contact = object(dig(json, "messages.1")), object(dig(json, "contacts.1"))
  local id = text(message.id)
  if not id then return nil end
  return {
    id = id, wa_id = text(contact.wa_id), input = text(contact.input) or to,
    user_id = text(contact.user_id), status = text(message.message_status), group_id = text(message.group_id),
  }
end

return sent
