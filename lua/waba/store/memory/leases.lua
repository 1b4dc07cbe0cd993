-- The leases of the store in memory: the methods `take`, `following` and `next_due`.

local conversations = require "waba.store.memory.conversations"
local records = require "waba.store.memory.records"

local leases = {}

function leases:following(lease, n)
  local entry, list, now = lease.item, {}, records.begin()
  local conversation = entry.conversation
  for position = conversation.first + 1, math.min(conversation.last, conversation.first + n) do
    list[#list + 1] = conversation[position]
    list[#list].age = now - list[#list].since
  end
  return list, now - entry.since
end

function leases:next_due()
  local now = records.begin()
  conversations.wake_due(self)
  if conversations.has_ready(self.ready) or conversations.has_ready(self.ready_bulk) then return 0 end
  return self.resting[1] and math.max(0, self.resting[1].due - now)
end

function leases:take(n, seconds, list, mark)
  if list then self:settle(list) else records.begin() end
  conversations.wake_due(self)
  local taken, count = {}, 0
  while count < n do
    local conversation = conversations.next_ready(self.ready) or conversations.next_ready(self.ready_bulk)
    if not conversation then break end
    local entry = conversation[conversation.first]
    if entry.attempts >= self.attempts and not entry.is_marked then
      conversations.make_dead(self, conversation)
      taken.died = (taken.died or 0) + 1
    else
      local attempts, is_marked = entry.attempts + 1, entry.is_marked
      local lease = { item = entry, attempts = attempts, body = entry.body, was_marked = is_marked }
      conversations.rest(self, conversation, seconds)
      entry.attempts, entry.lease, entry.is_marked = attempts, lease, mark or is_marked
      count = count + 1
      taken[count] = lease
    end
  end
  if count >= n then return taken end
  return taken, self:next_due() or false
end

return leases
