-- `waba.webhook`: the adapters of a receiver, `waba.webhook.server { … }` and `waba.webhook.nginx.serve(receiver)`.
-- Each adapter is loaded at its first use.

local ADAPTERS = { server = "waba.webhook.server", nginx = "waba.webhook.nginx" }

return setmetatable({}, {
  __index = function(adapters, name)
    if not ADAPTERS[name] then return nil end
    adapters[name] = require(ADAPTERS[name])
    return adapters[name]
  end,
})
