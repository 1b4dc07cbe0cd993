-- Loads a library that only some programs need. If the library is not installed, raises an error that explains how to
-- install it.

local library = {}

-- The folders of Debian with pure Lua libraries. Debian installs some libraries only for older versions of Lua,
-- although they also run under newer ones. OpenResty's LuaJIT does not search Debian's folders at all.
local OLDER = "/usr/share/lua/5.1/?.lua;/usr/share/lua/5.1/?/init.lua"
if _VERSION ~= "Lua 5.1" then
  OLDER = "/usr/share/lua/5.3/?.lua;/usr/share/lua/5.3/?/init.lua;" .. OLDER
end

--- Requires a module. Debian's folders are searched last. They stay in package.path only if the module was found in
--- them, because the module may require other modules later.
---@param module string
---@return boolean found
---@return any module  the module, or the reason why it was not found
function library.find(module)
  local ok, loaded = pcall(require, module)
  if ok or not tostring(loaded):find "^module '[^\n]-' not found" then return ok, loaded end
  local path = package.path
  package.path = path .. ";" .. OLDER
  local found, older = pcall(require, module)
  if found then return true, older end
  package.path = path
  return false, loaded
end

--- Loads an optional library. If the library is not installed, raises an error with the names of the rock and of
--- Debian's package.
---@param module string
---@param rock string
---@param package_name string  the name of Debian's package
---@param what string     the function or option that needs the library
---@param level integer   the level for `error`, as seen from the calling function; 0: no position
---@return any
function library.load(module, rock, package_name, what, level)
  local ok, loaded = library.find(module)
  if ok then return loaded end
  local message = tostring(loaded)
  -- the error text without the list of all files that Lua has tried
  message = message:match "^module '[^\n]-' not found" or message
  error(("%s needs the rock %s (Debian: %s): %s"):format(what, rock, package_name, message),
    level > 0 and level + 1 or 0)
end

local WITHOUT_CURL = "waba was built without libcurl and can send inside nginx only: install libcurl's headers "
  .. "(Debian: libcurl4-openssl-dev), then build and install waba again"

--- Loads a module of another package of this project. If the package is not installed, raises an error with the name of
--- its rock.
---@param module string  such as "waba.emulator"
---@param rock string    such as "waba-emulator"
---@param level integer  the level for `error`, as seen from the calling function
---@return table
function library.package(module, rock, level)
  local found, loaded = pcall(require, module)
  if found then return loaded end
  if not tostring(loaded):find("^module '" .. module:gsub("%.", "%%.") .. "' not found") then error(loaded, 0) end
  error(("%s is in the rock %s, which is not installed: run luarocks install %s, or make install in waba's checkout")
    :format(module, rock, rock), level > 0 and level + 1 or 0)
end

--- Returns the C module over libcurl. Raises an error if waba was built without this module.
---@return table
function library.curl()
  local found, curl = pcall(require, "waba.curl")
  if found then return curl end
  if not tostring(curl):find "^module 'waba.curl' not found" then error(curl, 0) end
  error(WITHOUT_CURL, 0)
end

return library
