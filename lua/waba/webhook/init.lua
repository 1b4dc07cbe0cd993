-- `waba.webhook`: the places a receiver can live in, each loaded when it is first used:
-- `waba.webhook.server { … }` on its own, `waba.webhook.nginx.serve(receiver)` in nginx.

local PLACES = { server = "waba.webhook.server", nginx = "waba.webhook.nginx" }

return setmetatable({}, {
  __index = function(places, name)
    if not PLACES[name] then return nil end
    places[name] = require(PLACES[name])
    return places[name]
  end,
})
