-- `waba.pace`: functions that make stores of shared rate limits. Each function is loaded at its first use.

local BACKENDS = { shared_dict = "waba.pace.shared_dict", redis = "waba.pace.redis" }

---@class waba.PaceBackends
---@field shared_dict fun(options: waba.SharedDictPaceOptions|string): waba.PaceStore
---@field redis fun(options?: waba.RedisPaceOptions): waba.PaceStore

return setmetatable({}, {
  __index = function(backends, name)
    if not BACKENDS[name] then return nil end
    backends[name] = require(BACKENDS[name]).new
    return backends[name]
  end,
})
