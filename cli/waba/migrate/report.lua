-- Writes one message for both hostings, and lists the fields that change and the fields without a counterpart.

local cloud = require "waba.hosting.cloud"
local difference = require "waba.migrate.difference"
local errors = require "waba.errors"
local older_forms = require "waba.migrate.older_forms"
local on_premise = require "waba.hosting.on_premise"
local refusals = require "waba.migrate.refusals"
local schema = require "waba.schema"
local stored = require "waba.migrate.stored"

local report = {}

-- Options of `encode_message`, without and with a check of the message.
local UNCHECKED, CHECKED = { validate = false }, { validate = true }

-- Replaces a missing recipient, because `encode_message` requires one.
local PLACEHOLDER = "4930000000"

local function encode(hosting, read, message, defaults, options)
  local to, form = stored.address(read)
  if read.to ~= nil and not to then return nil, form end
  local body, err = hosting.encode_message(to or PLACEHOLDER, message, defaults, options, to and form or nil)
  if body and not to then body.to = nil end
  return body, err
end

-- Returns the body for On-Premise hosting, or an error.
local function render_on_premise(read)
  local valid, err = schema.check(read.message, "on_premise")
  if not valid then return nil, err end
  return encode(on_premise, read, read.message, UNCHECKED)
end

-- The paths of the options of `client:send` in a body.
local OPTIONS = {
  reply_to = "context.message_id", data = "biz_opaque_callback_data", identity_key_hash = "recipient_identity_key_hash",
}

-- Returns the body for Cloud hosting, and whether it can be sent. If the message has fields without a counterpart, it
-- may be impossible to send the body.
local function render_cloud(read, message, lacking)
  local is_valid = refusals.collect(message, lacking) and not read.is_lost
  if type(message.type) ~= "string" then return nil, false end
  local body, err = encode(cloud, read, message, CHECKED, read.options)
  if body then return body, is_valid end
  lacking[#lacking + 1] = { path = OPTIONS[err.path] or err.path or "message", why = err.message }
  return encode(cloud, {}, message, UNCHECKED), false
end

-- Fields that a request body has, and a message from a builder does not have.
local STORED = { "to", "recipient_type", "messaging_product", "preview_url" }

local function is_stored(body)
  for _, name in ipairs(STORED) do
    if body[name] ~= nil then return true end
  end
  return false
end

--- A field of a message that has no counterpart on Cloud hosting, or violates its rules.
---@class waba.migrate.Lack
---@field path string  such as "image.id"
---@field why string   the reason, and what to do instead

--- A field that differs on Cloud hosting.
---@class waba.migrate.Change
---@field path string  such as "template.namespace"
---@field what string  describes the difference

--- A message on both hostings.
---@class waba.Migration
---@field type string|nil         the type of the message
---@field on_premise table|nil    the body of POST /v1/messages; nil if On-Premise hosting would refuse it
---@field on_premise_error waba.Error|nil  the reason why On-Premise hosting would refuse the body
---@field cloud table|nil         the body of POST /messages; nil if Cloud hosting would refuse it
---@field changes waba.migrate.Change[]    the fields that differ; the builders write them for either hosting
---@field lacking waba.migrate.Lack[]      the fields without a counterpart, which `cloud` does not have

--- Writes a message for both hostings.
---@param source table  a message from a builder, or the body of a request
---@return waba.Migration|nil
---@return waba.Error? err  kind "invalid": the argument is not a table, or is nested too deeply
function report.message(source)
  if type(source) ~= "table" then
    return nil, errors.invalid("message", "message must be a table: from a builder, or a body; not a " .. type(source))
  end
  local body, err = stored.copy(source)
  if not body then return nil, err end
  local read = stored.read(body)
  local made = { type = read.message.type, lacking = read.lacking }
  made.on_premise, made.on_premise_error = render_on_premise(read)
  -- a change in the body for one hosting must not appear in the body for the other hosting
  local before = is_stored(body) and stored.copy(body) or stored.copy(made.on_premise or body)
  made.on_premise = made.on_premise and stored.copy(made.on_premise)
  local message = older_forms.modernize(read.message, made.lacking)
  local after, is_valid = render_cloud(read, message, made.lacking)
  made.changes = after and difference.of(before, after, made.lacking) or {}
  made.cloud = is_valid and after or nil
  return made
end

return report
