-- The method `put` of a Redis store.

local exchange = require "waba.store.redis.exchange"
local leases = require "waba.store.redis.leases"

local conversations = {}

function conversations:put(entries, records, taking)
  local n = taking and taking.n
  local parts, err = exchange.run(self, entries, taking and taking.changes, records, n, taking and taking.seconds)
  if not parts then return nil, err end
  local stored = parts[1]
  if not stored then return false, parts[2] end
  for index = 6, 4 + 2 * parts[5], 2 do entries[parts[index]].known = parts[index + 1] end
  if not n then return stored end
  return stored, leases.read(self, parts, n)
end

return conversations
