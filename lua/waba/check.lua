-- Questions that need no gateway: is this message valid, what does this error code mean.

local schema = require "waba.schema"

local check = {}

local HOSTINGS = { on_premise = true }

--- Checks a message without sending it.
---@param message waba.Message
---@param hosting? "on_premise"  "on_premise" by default
---@param mode? true|"documented"  "documented": only by rules the platform documents
---@return true|nil valid
---@return waba.Error? err  kind "invalid", with `path`
function check.check(message, hosting, mode)
  hosting = hosting or "on_premise"
  if not HOSTINGS[hosting] then error("waba.check: unknown hosting " .. tostring(hosting), 2) end
  return schema.check(message, hosting, mode or true)
end

--- What an error code of the platform means, and what to do.
---@param code integer|string
---@return waba.ErrorRow|nil  nil for a code that is in no list
function check.explain(code)
  local row = require("waba.hosting.on_premise.error_rows")[tonumber(code)]
  if not row then return nil end
  local copy = {}
  for name, value in pairs(row) do copy[name] = value end
  return copy
end

return check
