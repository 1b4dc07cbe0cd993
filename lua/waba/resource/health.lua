-- The health of the gateway's WhatsApp client: GET /v1/health; on Cloud hosting, the health of the phone number: GET
-- /health_status. The gateway updates the health every five minutes, so a client caches the response for five minutes.

local core = require "waba.core"
local hosting = require "waba.hosting"
local outcome = require "waba.resource.outcome"

local health = {}

local REFRESH = 300 -- seconds

function health.get(client)
  local read, known = hosting.part(client.hosting, "health").read, client.known_health
  local cached = known ~= nil and core.clock() < known.until_clock
  if not cached then
    local json, err = outcome.fetch(client, "health", nil, function(json) return read(json) and json end,
      'the response has no health: expected the field "health" or "health_status"')
    if not json then return nil, err end
    known = { json = json, at = os.time(), until_clock = core.clock() + REFRESH }
    client.known_health = known
  end
  local result = read(known.json)
  result.checked_at, result.cached = known.at, cached
  return result
end

return health
