-- Makes the class of a store from the files of its backend. The files of all backends have the same names.

-- The methods of store/contract.lua that each file of a backend defines.
local METHODS = {
  conversations = { "put" },
  leases = { "take", "following", "next_due" },
  changes = { "settle" },
  rows = { "depth", "oldest", "list", "find", "hasten", "revive", "drop" },
  records = { "get", "get_all", "record_names" },
}

return function(backend, class)
  class.__index, class.__name = class, "waba.store." .. backend
  for file, names in pairs(METHODS) do
    local methods = require(class.__name .. "." .. file)
    for _, name in ipairs(names) do class[name] = methods[name] end
  end
  return class
end
