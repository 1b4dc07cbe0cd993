-- Where Debian keeps the pure Lua libraries that lua-http needs: in the folders of older Luas only, though they run
-- under newer ones. Programs of our own look there as well; a library never changes an application's paths.

local older_paths = {}

older_paths.FOLDERS = "/usr/share/lua/5.3/?.lua;/usr/share/lua/5.3/?/init.lua;/usr/share/lua/5.1/?.lua"
  .. ";/usr/share/lua/5.1/?/init.lua"

--- Lets `require` find a module there when it is not found otherwise.
---@param module string
function older_paths.look_for(module)
  if package.loaded[module] or pcall(require, module) then return end
  package.path = package.path .. ";" .. older_paths.FOLDERS
end

return older_paths
