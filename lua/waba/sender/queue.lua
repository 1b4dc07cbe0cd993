-- Presents the entries of an outbox in the form that waba/inbox/work.lua expects of an inbox. The sender itself
-- stores the results.

local entries = require "waba.outbox.entry"

---@class waba.SenderQueue
local Queue = {}
Queue.__index = Queue
Queue.__name = "waba.SenderQueue"
Queue.title, Queue.content = "the outbox", "messages"

local queue = {}

--- The state of a taken entry.
---@class waba.HeldEntry
---@field entry table
---@field lease waba.StoreLease
---@field seconds number      of the lease
---@field is_marked boolean?  true: the store has the mark that the message is being sent
---@field is_settled boolean? its result is stored, or it is not this sender's any more
---@field is_traced boolean?  true: statuses of the message contain the id of the entry
---@field before table?       the state before the message was sent again
---@field times table<string, number>

function Queue:take(n, seconds)
  local leases, due = self.store:take(n, seconds)
  if not leases then return nil, due end
  local taken, unreadable = {}, {}
  for _, lease in ipairs(leases) do
    local entry, message = entries.decode(lease.body)
    lease.body = nil
    if entry then
      self.held[entry] = { entry = entry, lease = lease, seconds = seconds }
      taken[#taken + 1] = entry
    else
      unreadable[#unreadable + 1] = { lease = lease, dead = true, reason = message }
    end
  end
  if #unreadable > 0 then self.store:settle(unreadable) end
  return taken, due
end

function Queue:attempts(entry)
  return self.held[entry].lease.attempts
end

local function settle(self, entry, change)
  local held = self.held[entry]
  if held.is_settled then return true end
  change.lease = held.lease
  local count, err = self.store:settle { change }
  if not count then return nil, err end
  return not change.lost or nil
end

function Queue:extend(entry, seconds)
  self.held[entry].seconds = seconds
  return settle(self, entry, { extend = seconds })
end

function Queue:release(entry)
  return settle(self, entry, { release = true })
end

-- true: the sender has stored the result
function Queue.ack() return true end
function Queue.fail() return false end

function Queue:depth() return self.store:depth() end
function Queue:next_due() return self.store:next_due() end

---@param store waba.Store
---@return waba.SenderQueue
function queue.new(store)
  return setmetatable({ store = store, durable = store.durable, held = setmetatable({}, { __mode = "k" }) }, Queue)
end

return queue
