-- Reads the body of a request to POST /v1/messages, as a program stored it, or a message as a builder made it:
-- what of it the move leaves behind, on a copy that shares nothing with what was given.

local core = require "waba.core"
local envelope = require "waba.message.envelope"
local errors = require "waba.errors"
local rule_errors = require "waba.schema.errors"
local recipient = require "waba.recipient"

local null = core.null

local stored = {}

-- No message is as deep as this.
local DEEPEST = 100

local function copy_of(value, depth)
  if type(value) ~= "table" then return value end
  if depth > DEEPEST then error({ too_deep = true }, 0) end
  local copy = {}
  for name, member in pairs(value) do
    -- a field that is null was left out
    if member ~= null or type(name) ~= "string" then copy[name] = copy_of(member, depth + 1) end
  end
  return copy
end

--- A copy without the fields that are null.
---@param value table
---@return table|nil copy
---@return waba.Error? err  it has too many levels
function stored.copy(value)
  local fine, copy = pcall(copy_of, value, 1)
  if fine then return copy end
  if type(copy) ~= "table" or not copy.too_deep then error(copy, 0) end
  return nil, errors.invalid("message", ("message has more than %d levels"):format(DEEPEST))
end

-- Ids of messages that On-Premise hosting gave (cloud.md, section 10).
local function is_old_id(id)
  return type(id) == "string" and (id:find "^gB" or id:find "^AB[GH]") ~= nil
end

local OLD_ID = "is the id of a message on On-Premise hosting, which Cloud hosting doesn't know: "
  .. "quote and react to messages that came after the move"

-- Fields that mean something on On-Premise hosting only.
local GONE = {
  ttl = "is no part of a message on Cloud hosting: message_send_ttl_seconds of the template says how long it is tried",
}

local GROUP_GONE =
  "is group: groups of On-Premise hosting are gone, and Cloud hosting's have ids of their own"

local function unknown(name)
  local shown = type(name) == "string" and rule_errors.can_show(name) and name or "a field"
  return { path = shown, why = GONE[name] or "is unknown beside a message's content; it is left out" }
end

-- Ids from before the move, in what quotes and what reacts.
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

--- What a stored body says.
---@class waba.migrate.Read
---@field message waba.Message    in the neutral form
---@field to any                  the recipient, as it was given
---@field options waba.SendOptions  what `client:send` takes beside the message
---@field lacking { path: string, why: string }[]
---@field is_lost boolean         no body can be made of it

--- Parts the message from its envelope.
---@param body table  a copy of its own
---@return waba.migrate.Read
function stored.read(body)
  local read = envelope.part(body)
  read.lacking, read.is_lost = read.errors, false
  for _, name in ipairs(read.unknown) do read.lacking[#read.lacking + 1] = unknown(name) end
  if body.recipient_type == "group" and not body.messaging_product then
    read.to, read.is_lost = body.to, true
    read.lacking[#read.lacking + 1] = { path = "recipient_type", why = GROUP_GONE }
  end
  refuse_old_ids(read)
  return read
end

--- Who gets it.
---@param read waba.migrate.Read
---@return string|nil address
---@return nil|"user"|"group"|waba.Error form  as `recipient.read` says it
function stored.address(read)
  if read.to == nil then return nil end
  return recipient.read(read.to)
end

return stored
