-- Reads the stored body of a request to POST /v1/messages, or a message from a builder, and lists the fields that can't
-- be moved to Cloud hosting. Works on a deep copy.

local core = require "waba.core"
local envelope = require "waba.migrate.envelope"
local errors = require "waba.errors"
local rule_errors = require "waba.schema.errors"
local recipient = require "waba.recipient"

local null = core.null

local stored = {}

-- The largest number of nested tables; messages have fewer.
local DEEPEST = 100

local function copy_of(value, depth)
  if type(value) ~= "table" then return value end
  if depth > DEEPEST then error({ too_deep = true }, 0) end
  local copy = {}
  for name, member in pairs(value) do
    -- a null field counts as missing
    if member ~= null or type(name) ~= "string" then copy[name] = copy_of(member, depth + 1) end
  end
  return copy
end

--- Returns a copy without the fields that are null.
---@return table|nil copy
---@return waba.Error? err  kind "invalid": there are too many nested tables
function stored.copy(value)
  local ok, copy = pcall(copy_of, value, 1)
  if ok then return copy end
  if type(copy) ~= "table" or not copy.too_deep then error(copy, 0) end
  return nil, errors.invalid("message", ("message has more than %d levels of nested tables"):format(DEEPEST))
end

-- Returns whether the value is a message id of On-Premise hosting (cloud.md, section 10).
local function is_old_id(id)
  return type(id) == "string" and (id:find "^gB" or id:find "^AB[GH]") ~= nil
end

local OLD_ID = "is the id of a message on On-Premise hosting, which Cloud hosting doesn't know: "
  .. "quote and react to messages received after the move only"

-- Fields that exist on On-Premise hosting only.
local GONE = {
  ttl = "does not exist on Cloud hosting: set message_send_ttl_seconds of the template instead",
}

local GROUP_GONE =
  "is group: groups of On-Premise hosting no longer exist, and those of Cloud hosting have other ids"

local function unknown(name)
  local shown = type(name) == "string" and rule_errors.can_show(name) and name or "a field"
  return { path = shown, why = GONE[name] or "is not a known field of a message; it is left out" }
end

-- Rejects quotes and reactions that refer to a message id of On-Premise hosting.
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

--- The parts of a stored body.
---@class waba.migrate.Read
---@field message waba.Message    the message in the form of a builder
---@field to any                  the recipient in its stored form
---@field options waba.SendOptions  the options for `client:send`
---@field lacking { path: string, why: string }[]
---@field is_lost boolean         true: the message can't be sent on Cloud hosting

--- Separates the message from its envelope.
---@param body table  a copy, which may be changed
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

--- Reads the recipient.
---@return string|nil address
---@return nil|"user"|"group"|waba.Error form  the form of the recipient, as `recipient.read` returns it
function stored.address(read)
  if read.to == nil then return nil end
  return recipient.read(read.to)
end

return stored
