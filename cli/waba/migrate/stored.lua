-- Reads the stored body of a request to POST /v1/messages, or a message from a builder.

local core = require "waba.core"
local envelope = require "waba.migrate.envelope"
local errors = require "waba.errors"
local rule_errors = require "waba.schema.errors"

local null = core.null

local stored = {}

local DEEPEST = 100 -- levels of nested tables; messages have fewer

local function copy_of(value, depth)
  if type(value) ~= "table" then return value end
  if depth > DEEPEST then error({ too_deep = true }, 0) end
  local copy = {}
  for name, member in pairs(value) do
    if member ~= null or type(name) ~= "string" then copy[name] = copy_of(member, depth + 1) end
  end
  return copy
end

function stored.copy(value)
  local ok, copy = pcall(copy_of, value, 1)
  if ok then return copy end
  if type(copy) ~= "table" or not copy.too_deep then error(copy, 0) end
  return nil, errors.invalid("message", ("message has more than %d levels of nested tables"):format(DEEPEST))
end

-- Returns whether a value is a message id of On-Premise hosting (cloud.md, section 10).
local function is_old_id(id)
  return type(id) == "string" and (id:find "^gB" or id:find "^AB[GH]") ~= nil
end

local OLD_ID = "is the id of a message on On-Premise hosting, which Cloud hosting doesn't know: "
  .. "quote and react to messages received after the move only"

local function unknown(name)
  local shown = type(name) == "string" and rule_errors.can_show(name) and name or "a field"
  return { path = shown, why = name == "ttl"
    and "does not exist on Cloud hosting: set message_send_ttl_seconds of the template instead"
    or "is not a known field of a message; it is left out" }
end

-- Adds each field with the id of an On-Premise message to `read.lacking`, because Cloud hosting does not know the id.
-- The fields are the id of the quoted message and the id in a reaction.
local function refuse_old_ids(read)
  if is_old_id(read.options.reply_to) then
    read.lacking[#read.lacking + 1] = { path = "context", why = OLD_ID }
    read.options.reply_to = nil
  end
  local reaction = read.message.reaction
  if read.message.type == "reaction" and type(reaction) == "table" and is_old_id(reaction.message_id) then
    read.lacking[#read.lacking + 1] = { path = "reaction.message_id", why = OLD_ID }
    read.is_lost = true
  end
end

---@class waba.migrate.Read
---@field message waba.Message      the message in the form of a builder
---@field to any                    the recipient in its stored form
---@field options waba.SendOptions
---@field lacking waba.migrate.Lack[]
---@field is_lost boolean           true: the message can't be sent on Cloud hosting

---@param body table  a copy of the stored body, for the result
---@return waba.migrate.Read
function stored.read(body)
  local read = envelope.part(body)
  read.lacking, read.is_lost = read.errors, false
  for _, name in ipairs(read.unknown) do read.lacking[#read.lacking + 1] = unknown(name) end
  if body.recipient_type == "group" and not body.messaging_product then
    read.to, read.is_lost = body.to, true
    read.lacking[#read.lacking + 1] = { path = "recipient_type",
      why = "is group: groups of On-Premise hosting no longer exist, and those of Cloud hosting have other ids" }
  end
  refuse_old_ids(read)
  return read
end

return stored
