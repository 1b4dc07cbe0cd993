-- Opens a file as `io.open` does. If a limit of the system was reached, the error text names the limit.

local core = require "waba.core"

---@return file*|nil file
---@return string? message  "path: reason"
return function(path, mode)
  local file, message, number = io.open(path, mode)
  if file or not number then return file, message end
  return nil, path .. ": " .. core.system_error(number)
end
