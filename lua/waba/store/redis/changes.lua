-- The method `settle` of a Redis store, which changes taken entries.

local exchange = require "waba.store.redis.exchange"

local changes = {}

function changes:settle(list, more_records)
  if #list == 0 and not more_records then return 0 end
  local parts, held = exchange.run(self, nil, list, more_records)
  if not parts then return nil, held end
  return held
end

return changes
