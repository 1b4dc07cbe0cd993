-- `io.open` with a message that names the limit of the system if one was reached.

local core = require "waba.core"

--- Opens a file.
---@param path string
---@param mode string
---@return file*|nil file
---@return string? message  "path: what is wrong"
return function(path, mode)
  local file, message, number = io.open(path, mode)
  if file or not number then return file, message end
  return nil, path .. ": " .. core.system_error(number)
end
