-- Loads modules that can be missing. The error for a missing module states how to install it.

local library = {}

-- Debian's folders of libraries in Lua. Debian installs some libraries only for older versions of Lua. OpenResty does
-- not search Debian's folders.
local OLDER = "/usr/share/lua/5.1/?.lua;/usr/share/lua/5.1/?/init.lua"
if _VERSION ~= "Lua 5.1" then
  OLDER = "/usr/share/lua/5.3/?.lua;/usr/share/lua/5.3/?/init.lua;" .. OLDER
end

--- Requires a module, and searches Debian's folders last. Debian's folders stay in `package.path` if the module is in
--- one of them, because the module can require other modules later.
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

--- Loads an optional library. The error for a missing library names its rock and its Debian package.
---@param module string
---@param rock string
---@param package_name string  the name of Debian's package
---@param what string     the function or option that needs the library
---@param level integer   the level for `error`, as seen from the calling function; 0: no position
function library.load(module, rock, package_name, what, level)
  local ok, loaded = library.find(module)
  if ok then return loaded end
  -- the error text of Lua without the list of the files that Lua has tried
  local message = tostring(loaded):match "^module '[^\n]-' not found" or tostring(loaded)
  error(("%s needs the rock %s (Debian: %s): %s"):format(what, rock, package_name, message),
    level > 0 and level + 1 or 0)
end

-- Requires a module of this project. The error for a missing module has the text `message`.
local function require_own(module, message, level)
  local found, loaded = pcall(require, module)
  if found then return loaded end
  if tostring(loaded):find("module '" .. module .. "' not found", 1, true) ~= 1 then error(loaded, 0) end
  error(message, level > 0 and level + 2 or 0)
end

--- Loads a module of waba-cli or waba-emulator, the other packages of this project.
---@param module string  such as "waba.emulator"
---@param rock string    such as "waba-emulator"
---@param level integer  the level for `error`, as seen from the calling function
function library.package(module, rock, level)
  return (require_own(module, ("%s is in the rock %s, which is not installed: run luarocks install %s, or make install "
    .. "in waba's checkout"):format(module, rock, rock), level))
end

function library.curl()
  return (require_own("waba.curl", "waba was built without libcurl and can send inside nginx only: install libcurl's "
    .. "headers (Debian: libcurl4-openssl-dev), then build and install waba again", 0))
end

return library
