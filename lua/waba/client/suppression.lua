-- Refuses marketing messages to recipients who want none, and records these recipients when the gateway reports them.

local errors = require "waba.errors"
local of_number = require "waba.client.of_number"

local suppression = {}

-- The error code for a recipient who wants no marketing messages (cloud.md, section 6.3).
local STOPPED = 131050

-- Returns whether a template has the category marketing. Reads only definitions that the client has already.
local function is_for_marketing(client, message)
  local templates = rawget(client, "templates")
  local known = templates and templates.known and templates.known[message.template.name]
  local _, definition = next(known or {}) -- all languages of a template have the same category
  return definition ~= nil and type(definition.category) == "string" and definition.category:upper() == "MARKETING"
end

--- Returns true if a message may be sent. Returns nil and an error of kind "blocked" if the recipient wants no
--- marketing messages, or an error of another kind if the store can't be read. The default of `is_marketing` is the
--- category in the template's definition. The default of `number` is the client's phone number.
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

--- Records a recipient if `err` means that the recipient has stopped marketing messages. Records nothing if the
--- business number is unknown. Ignores errors of the store, because the gateway refuses the next message too.
function suppression.note(receiver, client, to, err, number)
  if err.code ~= STOPPED or not receiver._stopped then return end
  number = number or of_number.digits(client)
  if number then receiver:_stopped(to, number, STOPPED) end
end

return suppression
