-- Questions that need no gateway: is this message valid, what does this error code mean.

local schema = require "waba.schema"

local check = {}

local HOSTINGS = { on_premise = true, cloud = true }

--- Which of 360dialog's gateways.
---@alias waba.Hosting "on_premise"|"cloud"

--- Checks a message without sending it.
---@param message waba.Message
---@param hosting? waba.Hosting  "on_premise" (the default) or "cloud"
---@param mode? true|"documented"  "documented": only by rules the platform documents
---@return true|nil valid
---@return waba.Error? err  kind "invalid", with `path`
function check.check(message, hosting, mode)
  hosting = hosting or "on_premise"
  if not HOSTINGS[hosting] then error("waba.check: unknown hosting " .. tostring(hosting), 2) end
  return schema.check(message, hosting, mode or true)
end

local ROWS = { on_premise = "waba.hosting.on_premise.error_rows", cloud = "waba.hosting.cloud.error_rows" }

local function copy_of(row)
  local copy = {}
  for name, value in pairs(row) do copy[name] = value end
  return copy
end

--- Returns all error codes of a hosting, in ascending order.
---@param hosting waba.Hosting
---@return waba.ErrorRow[]
function check.codes(hosting)
  local list = {}
  for _, row in pairs(require(ROWS[hosting])) do list[#list + 1] = copy_of(row) end
  table.sort(list, function(a, b) return a.code < b.code end)
  return list
end

--- What an error code of the platform means, and what to do.
---@param code integer|string
---@param hosting? waba.Hosting  whose code; when it is not said, On-Premise hosting's, then Cloud hosting's
---@return waba.ErrorRow|nil  nil for a code that is in no list
function check.explain(code, hosting)
  if hosting ~= nil and not ROWS[hosting] then error("waba.explain: unknown hosting " .. tostring(hosting), 2) end
  local row
  for _, name in ipairs(hosting and { hosting } or { "on_premise", "cloud" }) do
    row = row or require(ROWS[name])[tonumber(code)]
  end
  if not row then return nil end
  return copy_of(row)
end

return check
