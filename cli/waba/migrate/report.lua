-- Converts a message to the bodies of both hostings, and lists changed fields and fields without a counterpart.

local cloud = require "waba.hosting.cloud"
local differences = require "waba.migrate.difference"
local errors = require "waba.errors"
local modernize = require "waba.migrate.older_forms"
local on_premise = require "waba.hosting.on_premise"
local recipient = require "waba.recipient"
local collect_refusals = require "waba.migrate.refusals"
local schema = require "waba.schema"
local stored = require "waba.migrate.stored"

local report = {}

-- `encode_message` requires a recipient, so a message without a recipient is encoded with this phone number, which is
-- removed from the body afterwards.
local PLACEHOLDER = "4930000000"

local function encode(hosting, read, message, defaults, options)
  local to, form
  if read.to ~= nil then
    to, form = recipient.read(read.to)
    if not to then return nil, form end
  end
  local body, err = hosting.encode_message(to or PLACEHOLDER, message, defaults, options, form)
  if body and not to then body.to = nil end
  return body, err
end

local function render_on_premise(read)
  local valid, err = schema.check(read.message, "on_premise")
  if not valid then return nil, err end
  return encode(on_premise, read, read.message, { validate = false })
end

local OPTIONS = {
  reply_to = "context.message_id", data = "biz_opaque_callback_data", identity_key_hash = "recipient_identity_key_hash",
}

local function render_cloud(read, message, lacking)
  local is_valid = collect_refusals(message, lacking) and not read.is_lost
  if type(message.type) ~= "string" then return nil, false end
  local body, err = encode(cloud, read, message, { validate = true }, read.options)
  if body then return body, is_valid end
  lacking[#lacking + 1] = { path = OPTIONS[err.path] or err.path or "message", why = err.message }
  return encode(cloud, {}, message, { validate = false }), false
end

-- Returns whether a table is the body of a request, and not a message from a builder.
local function is_stored(body)
  return body.to ~= nil or body.recipient_type ~= nil or body.messaging_product ~= nil or body.preview_url ~= nil
end

--- A field of a message that has no counterpart on Cloud hosting, or violates the rules of Cloud hosting.
---@class waba.migrate.Lack
---@field path string  such as "image.id"
---@field why string   the reason, and what to do instead

--- A field that differs on Cloud hosting.
---@class waba.migrate.Change
---@field path string  such as "template.namespace"
---@field what string  the difference

--- The bodies of a message for both hostings, and the differences.
---@class waba.Migration
---@field type string|nil         the type of the message
---@field on_premise table|nil    the body of POST /v1/messages; nil if On-Premise hosting would refuse the message
---@field on_premise_error waba.Error|nil  the reason why On-Premise hosting would refuse the message
---@field cloud table|nil         the body of POST /messages; nil if Cloud hosting would refuse the message
---@field changes waba.migrate.Change[]    the fields that differ; `client:send` writes the form of the client's hosting
---@field lacking waba.migrate.Lack[]      the fields without a counterpart; `cloud` does not have these fields

function report.message(source)
  if type(source) ~= "table" then
    return nil, errors.invalid("message", "message must be a table, from a builder or the body of a request, not a "
      .. type(source))
  end
  local body, err = stored.copy(source)
  if not body then return nil, err end
  local read = stored.read(body)
  local made = { type = read.message.type, lacking = read.lacking }
  made.on_premise, made.on_premise_error = render_on_premise(read)
  -- a change in the body for one hosting must not appear in the body for the other hosting
  local before = is_stored(body) and stored.copy(body) or stored.copy(made.on_premise or body)
  made.on_premise = made.on_premise and stored.copy(made.on_premise)
  local message = modernize(read.message, made.lacking)
  local after, is_valid = render_cloud(read, message, made.lacking)
  made.changes = after and differences(before, after, made.lacking) or {}
  made.cloud = is_valid and after or nil
  return made
end

return report
