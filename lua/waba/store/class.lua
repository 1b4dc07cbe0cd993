-- Makes the class of a backend's stores. The files of a backend have the same names in all backends.

-- For each file of a backend, the methods of contract.lua that it defines.
local METHODS = {
  conversations = { "put" },
  leases = { "take", "following", "next_due" },
  changes = { "settle" },
  rows = { "depth", "oldest", "list", "find", "hasten", "revive", "drop" },
  records = { "get", "get_all", "record_names" },
}

--- Adds the methods of a backend to a class.
---@param backend "memory"|"sqlite"|"redis"
---@param class table
---@return table class
return function(backend, class)
  class.__index, class.__name = class, "waba.store." .. backend
  for file, names in pairs(METHODS) do
    local methods = require(class.__name .. "." .. file)
    for _, name in ipairs(names) do class[name] = methods[name] end
  end
  return class
end
