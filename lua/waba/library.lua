-- Loads a library that only some programs need, or says how to get it.

local library = {}

-- What to do when the module is there, but for another Lua only.
local function hint(module)
  local folders = require("waba.older_paths").FOLDERS
  local search = package.searchpath -- luacheck: ignore 143
  if not search or not search(module, folders) then return "" end
  return ("; Debian has it for an older Lua only, and it runs under this one: end LUA_PATH with ';;%s'"):format(folders)
end

--- Loads an optional library. Raises when it can't, naming the rock and Debian's package.
---@param module string
---@param rock string
---@param package_name string  Debian's
---@param what string     who needs it
---@param level integer   as in an `error` of the calling function; 0: no position
---@return any
function library.load(module, rock, package_name, what, level)
  local ok, loaded = pcall(require, module)
  if ok then return loaded end
  local message = tostring(loaded)
  -- without the list of all the places that were looked at
  local absent = message:match("^module '[^\n]-' not found")
  error(("%s needs the rock %s (Debian: %s): %s%s"):format(what, rock, package_name, absent or message,
    absent and hint(module) or ""), level > 0 and level + 1 or 0)
end

return library
