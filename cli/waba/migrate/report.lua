-- One message for both hostings: the body for each, what changes between them, and what has no counterpart.

local cloud = require "waba.hosting.cloud"
local difference = require "waba.migrate.difference"
local errors = require "waba.errors"
local older_forms = require "waba.migrate.older_forms"
local on_premise = require "waba.hosting.on_premise"
local refusals = require "waba.migrate.refusals"
local schema = require "waba.schema"
local stored = require "waba.migrate.stored"

local report = {}

-- Bodies are compared, not judged, when they are written.
local UNCHECKED, CHECKED = { validate = false }, { validate = true }

-- Stands for a recipient that is not given, so that the envelope can be written.
local SOMEBODY = "4930000000"

local function encode(hosting, read, message, defaults, options)
  local to, form = stored.address(read)
  if read.to ~= nil and not to then return nil, form end
  local body, err = hosting.encode_message(to or SOMEBODY, message, defaults, options, to and form or nil)
  if body and not to then body.to = nil end
  return body, err
end

-- The body that On-Premise hosting took, or why it took none.
local function render_on_premise(read)
  local valid, err = schema.check(read.message, "on_premise")
  if not valid then return nil, err end
  return encode(on_premise, read, read.message, UNCHECKED)
end

-- Where options of `client:send` stand in a body.
local OPTIONS = {
  reply_to = "context.message_id", data = "biz_opaque_callback_data", identity_key_hash = "recipient_identity_key_hash",
}

-- The body for Cloud hosting. It may be given although the message lacks something; `is_whole` says that it can be
-- sent.
local function render_cloud(read, message, lacking)
  local is_whole = refusals.collect(message, lacking) and not read.is_lost
  if type(message.type) ~= "string" then return nil, false end
  local body, err = encode(cloud, read, message, CHECKED, read.options)
  if body then return body, is_whole end
  lacking[#lacking + 1] = { path = OPTIONS[err.path] or err.path or "message", why = err.message }
  return encode(cloud, {}, message, UNCHECKED), false
end

-- Fields that belong to a body and not to a message from a builder.
local STORED = { "to", "recipient_type", "messaging_product", "preview_url" }

local function is_stored(given)
  for _, name in ipairs(STORED) do
    if given[name] ~= nil then return true end
  end
  return false
end

--- Something of a message that Cloud hosting has no place for, or that breaks its rules.
---@class waba.migrate.Lack
---@field path string  as in "image.id"
---@field why string   a sentence that says what to do instead

--- Something that is written otherwise on Cloud hosting.
---@class waba.migrate.Change
---@field path string  as in "template.namespace"
---@field what string  a sentence

--- One message for both hostings.
---@class waba.Migration
---@field type string|nil         of the message
---@field on_premise table|nil    the body of POST /v1/messages; nil when On-Premise hosting would not take it
---@field on_premise_error waba.Error|nil  why not
---@field cloud table|nil         the body of POST /messages; nil when Cloud hosting would not take it
---@field changes waba.migrate.Change[]    what is written otherwise; with this library it needs nothing of you
---@field lacking waba.migrate.Lack[]      what has no counterpart; `cloud` is without it

--- Renders a message for both hostings.
---@param given table  a message from a builder, or the body of a request
---@return waba.Migration|nil
---@return waba.Error? err  of kind "invalid": it is no message
function report.message(given)
  if type(given) ~= "table" then
    return nil, errors.invalid("message", "message must be a table from a builder or a body, not a " .. type(given))
  end
  local body, err = stored.copy(given)
  if not body then return nil, err end
  local read = stored.read(body)
  local made = { type = read.message.type, lacking = read.lacking }
  made.on_premise, made.on_premise_error = render_on_premise(read)
  -- what is mended for the one must not show in the other
  local before = is_stored(body) and stored.copy(body) or stored.copy(made.on_premise or body)
  made.on_premise = made.on_premise and stored.copy(made.on_premise)
  local message = older_forms.modernize(read.message, made.lacking)
  local after, is_whole = render_cloud(read, message, made.lacking)
  made.changes = after and difference.of(before, after, made.lacking) or {}
  made.cloud = is_whole and after or nil
  return made
end

return report
