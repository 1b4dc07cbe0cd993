-- The leases of a Redis store: the methods `take`, `following` and `next_due`.

local code = require "waba.store.redis.code"
local exchange = require "waba.store.redis.exchange"
local script = require "waba.store.redis.script"

local leases = {}

local NEXT_DUE = code.HEAD .. code.NEXT_DUE .. "return next_due()"

--- Returns the leases in the parts of a reply of `exchange`. If there are fewer than n leases, also returns the seconds
--- until another entry is due.
---@param parts table    the first result of `exchange.run`
---@param n integer      the number of entries that were wanted
---@param mark? boolean  true: the leases have a mark
function leases.read(self, parts, n, mark)
  local marked_token, taken, beside, index = parts.token .. "!", {}, self.beside, 6 + 2 * parts[5]
  local token = mark and marked_token or parts.token
  while parts[index] do
    local was_marked, queue, known = parts[index + 1] == 1 or nil, parts[index + 2], nil
    local lease = {
      token = was_marked and marked_token or token, queue = queue, attempts = parts[index], known = known,
      head = parts[index + 3], body = parts[index + 4], was_marked = was_marked,
    }
    taken[#taken + 1], index = lease, index + 5
    if beside[1] and not queue:find(":", 1, true) then
      known = {}
      for place = 1, #beside do known[queue .. beside[place]] = parts[index + place - 1] end
      lease.known, index = known, index + #beside
    end
  end
  if parts[4] > 0 then taken.died = parts[4] end
  if #taken >= n then return taken end
  return taken, tonumber(parts[3]) or false
end

function leases:take(n, seconds, list, mark)
  local parts, err = exchange.run(self, nil, list, nil, n, seconds, mark)
  if not parts then return nil, err end
  return leases.read(self, parts, n, mark)
end

function leases:following(lease, n)
  local replies, err = script.call(self, {
    { "LRANGE", self.prefix .. ":q:" .. lease.queue, "1", ("%d"):format(n) }, { "TIME" },
  })
  if not replies then return nil, err end
  local list, now = {}, replies[2][1] + replies[2][2] / 1e6
  for index, item in ipairs(replies[1]) do
    local id, _, body = script.parts_of_item(item)
    list[index] = { id = id, body = body, age = now - id / 1e6 }
  end
  return list, now - lease.head:match "^%d+" / 1e6
end

function leases:next_due() return tonumber((script.run(self, NEXT_DUE, script.words_of(self)))) end

return leases
