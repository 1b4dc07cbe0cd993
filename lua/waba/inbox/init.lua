-- `waba.inbox`: the homes of the inbox by name, each loaded when it is first used.

local HOMES = { memory = "waba.inbox.memory", sqlite = "waba.inbox.sqlite", redis = "waba.inbox.redis" }

---@class waba.InboxBackends
---@field memory fun(options?: waba.MemoryInboxOptions): waba.Inbox
---@field sqlite fun(options: waba.SqliteInboxOptions|string): waba.Inbox
---@field redis fun(options?: waba.RedisInboxOptions): waba.Inbox

return setmetatable({}, {
  __index = function(homes, name)
    if not HOMES[name] then return nil end
    homes[name] = require(HOMES[name]).new
    return homes[name]
  end,
})
