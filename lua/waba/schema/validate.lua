-- Checks a value against a rule that is data (waba.Rule), in the mode of the client's option `validate`.

local schema = require "waba.schema"

local compiled = setmetatable({}, { __mode = "k" }) -- rule to mode to check

--- Checks a value against a rule.
---@param mode boolean|"documented"  the client's option `validate`; false: checks nothing
---@param rule waba.Rule  always the same table, so that it is compiled once
---@param value any
---@return true|nil valid
---@return waba.Error? err  of kind "invalid", with `path`
local function validate(mode, rule, value)
  if not mode then return true end
  local by_mode = compiled[rule] or {}
  compiled[rule] = by_mode
  by_mode[mode] = by_mode[mode] or schema.compile(rule, mode)
  return by_mode[mode](value)
end

return validate
