-- Decides whether a message must not be sent because its recipient wants no marketing messages, and records that the
-- gateway has refused a message for this reason.

local errors = require "waba.errors"
local of_number = require "waba.client.of_number"

local suppression = {}

-- The code of the gateway's refusal (cloud.md, section 6.3). It may be in the response instead of a status.
local STOPPED = 131050

-- Returns whether the definition of a message's template has the category marketing. Nothing is fetched.
local function is_for_marketing(client, message)
  local templates = rawget(client, "templates")
  local known = templates and templates.known and templates.known[message.template.name]
  local _, definition = next(known or {}) -- all languages of a template have the same category
  return definition ~= nil and type(definition.category) == "string" and definition.category:upper() == "MARKETING"
end

--- Checks that a message may be sent.
---@param receiver waba.Receiver
---@param client waba.Client
---@param to any
---@param message waba.Message
---@param is_marketing boolean|nil  true: the template is for marketing; default: the category in the template's
---        definition, if the client has the definition
---@param number? string|integer    the sending business number; by default the client's phone number, if it is known
---@return true|nil
---@return waba.Error? err  kind "blocked" if the recipient wants no marketing messages; another kind if the store can't
---        be read
function suppression.check(receiver, client, to, message, is_marketing, number)
  if type(message) ~= "table" or message.type ~= "template" or type(message.template) ~= "table" then return true end
  if is_marketing == nil then is_marketing = is_for_marketing(client, message) end
  if not is_marketing or type(to) == "table" and to.group_id then return true end
  local reason, err = receiver:suppressed(to, number or of_number.digits(client))
  if reason == nil and err.kind ~= "invalid" then return nil, err end -- `send` reports an invalid recipient
  if not reason then return true end
  return nil, errors.new {
    kind = "blocked", path = "suppress",
    message = ("the recipient wants no marketing messages (%s): the message was not sent"):format(reason),
  }
end

--- Records the recipient of a message that the gateway has refused because the recipient has stopped marketing messages.
---@param receiver waba.Receiver
---@param client waba.Client
---@param to any
---@param err waba.Error
---@param number? string|integer  the sending business number; by default the client's phone number. If both are unknown,
---        nothing is recorded: a later status or the next refusal shows it again
function suppression.note(receiver, client, to, err, number)
  if err.code ~= STOPPED or not receiver._stopped then return end
  number = number or of_number.digits(client)
  -- if the store fails, the gateway refuses the next message too
  if number then receiver:_stopped(to, number, STOPPED) end
end

return suppression
