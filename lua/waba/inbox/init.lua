-- `waba.inbox`: the backends of the inbox by name; each is loaded at its first use.

local BACKENDS = { memory = "waba.inbox.memory", sqlite = "waba.inbox.sqlite", redis = "waba.inbox.redis" }

---@class waba.InboxBackends
---@field memory fun(options?: waba.MemoryInboxOptions): waba.Inbox
---@field sqlite fun(options: waba.SqliteInboxOptions|string): waba.Inbox
---@field redis fun(options?: waba.RedisInboxOptions): waba.Inbox

return setmetatable({}, {
  __index = function(backends, name)
    if not BACKENDS[name] then return nil end
    backends[name] = require(BACKENDS[name]).new
    return backends[name]
  end,
})
