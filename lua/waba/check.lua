-- Checks messages and explains error codes without a request.

local copy = require("waba.message.parts").copy
local hostings = require "waba.hosting"

local check = {}

--- Checks a message without sending it.
---@param message waba.Message
---@param hosting? waba.Hosting  "on_premise" (the default) or "cloud"
---@param mode? true|"documented"  "documented": checks only the rules that the platform documents
---@param definition? waba.StoredTemplate  the result of `client.templates:definition`, with which a template message
---        is compared
---@return true|nil valid
---@return waba.Error? err  kind "invalid" with `path`; kind "template" if the message differs from the definition
function check.check(message, hosting, mode, definition)
  hosting = hosting or "on_premise"
  if not hostings.NAMES[hosting] then
    error('waba.check: the hosting must be "on_premise" or "cloud", not ' .. tostring(hosting), 2)
  end
  local valid, err = require("waba.schema").check(message, hosting, mode or true)
  if not valid then return nil, err end
  if definition == nil then return true end
  return require("waba.message.definition").check(definition, message)
end

--- One of 360dialog's gateways.
---@alias waba.Hosting "on_premise"|"cloud"

local function rows_of(hosting)
  return hostings.part({ name = hosting }, "error_codes")
end

--- Returns all error codes of a hosting, in ascending order.
---@param hosting waba.Hosting
---@return waba.ErrorRow[]
function check.codes(hosting)
  local list = {}
  for _, row in pairs(rows_of(hosting)) do list[#list + 1] = copy(row) end
  table.sort(list, function(a, b) return a.code < b.code end)
  return list
end

--- Returns the meaning of an error code of the platform, and what to do about it.
---@param code integer|string
---@param hosting? waba.Hosting  the hosting of the code; default: On-Premise hosting, or Cloud hosting for a code that
---        only Cloud hosting has
---@return waba.ErrorRow|nil  nil for an unknown code
function check.explain(code, hosting)
  if hosting ~= nil and not hostings.NAMES[hosting] then
    error('waba.explain: the hosting must be "on_premise" or "cloud", not ' .. tostring(hosting), 2)
  end
  local row
  for _, name in ipairs(hosting and { hosting } or { "on_premise", "cloud" }) do
    row = row or rows_of(name)[tonumber(code)]
  end
  return copy(row)
end

return check
