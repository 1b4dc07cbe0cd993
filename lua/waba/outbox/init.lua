-- `waba.outbox`: the backends of the outbox by name; each is loaded at its first use.

local BACKENDS = { memory = "waba.outbox.memory", sqlite = "waba.outbox.sqlite", redis = "waba.outbox.redis" }

---@class waba.OutboxBackends
---@field memory fun(options?: waba.MemoryOutboxOptions): waba.Outbox
---@field sqlite fun(options: waba.SqliteOutboxOptions|string): waba.Outbox
---@field redis fun(options?: waba.RedisOutboxOptions): waba.Outbox

return setmetatable({}, {
  __index = function(backends, name)
    if not BACKENDS[name] then return nil end
    backends[name] = require(BACKENDS[name]).new
    return backends[name]
  end,
})
