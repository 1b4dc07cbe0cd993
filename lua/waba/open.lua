-- Does the same as `io.open`; if a limit of the system was reached, the error text names the limit.

local core = require "waba.core"

--- Opens a file.
---@param path string
---@param mode string
---@return file*|nil file
---@return string? message  "path: reason"
return function(path, mode)
  local file, message, number = io.open(path, mode)
  if file or not number then return file, message end
  return nil, path .. ": " .. core.system_error(number)
end
