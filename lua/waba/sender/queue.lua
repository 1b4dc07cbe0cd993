-- The queue of a sender. The queue has the same methods as an inbox, because inbox/work takes entries from both. When
-- an entry has its result, the sender sets the field `change` of the entry. One call of the store makes several changes
-- and takes other entries.

local core = require "waba.core"
local entries = require "waba.outbox.entry"

---@class waba.SenderQueue
---@field marks boolean  true: `take` returns leases with a mark, because the messages are sent immediately after `take`
local Queue = {}
Queue.__index = Queue
Queue.__name = "waba.SenderQueue"
Queue.title, Queue.content, Queue.is_sender = "the outbox", "messages", true

local queue = {}

--- A taken entry.
---@class waba.HeldEntry
---@field lease waba.StoreLease
---@field entry table         the entry, as `entries.read` has made it
---@field body string         the JSON text of the request's body
---@field seconds number      the length of the lease
---@field taken_at number     the time of `core.clock` at which the entry was taken
---@field ends number         the time of `core.clock` at which the lease ends
---@field is_plain boolean   true: the entry has no other fields than most entries
---@field sending number?     the Unix seconds at which the message was sent
---@field times table<string, number>?  the stored times of an entry that was taken before
---@field is_marked boolean?  true: the lease has a mark
---@field is_lost boolean?    true: the lease has expired
---@field is_traced boolean?  true: statuses of the message contain the id of the entry
---@field before table?       the state before the message was sent again
---@field change waba.StoreChange?  the change that stores the result. Its field `after` is nil, or a function that is
---        called with the sender and the entry after the store has made the change; the function may wait
---@field step? "client"|table  "client": the function of the option `client` runs; a client: its method `send` runs

-- Decodes the entries of several leases. An entry that can't be decoded becomes a dead letter. If the message of such
-- an entry may have been sent, the entry waits for a sender that can decode it, because `retry_dead` would send a dead
-- letter again.
local function read(self, leases, seconds, is_marked, now)
  local taken, unreadable = {}, {}
  for index = 1, #leases do
    local lease = leases[index]
    local entry, body, is_plain = entries.decode(lease.body)
    if entry then
      taken[#taken + 1] = { -- a field `= false` reserves memory for a value that is set later
        lease = lease, entry = entry, body = body, seconds = seconds, taken_at = now, ends = now + seconds,
        is_plain = is_plain, is_marked = is_marked, is_traced = false, sending = false, step = false, change = false,
        event = false, renew_at = false, group = false, thread = false, -- the fields of an entry of inbox/work
      }
    else
      local is_dead = not lease.was_marked or nil
      unreadable[#unreadable + 1] = {
        lease = lease, dead = is_dead, delay = not is_dead and seconds or nil, reason = body,
      }
    end
  end
  if #unreadable > 0 then self.store:settle(unreadable) end
  return taken
end

local function changes_of(done)
  local changes = {}
  for index = 1, #done do changes[#changes + 1] = done[index].change or nil end
  return changes
end

function Queue:exchange(done, n, seconds)
  local changes = changes_of(done)
  while true do
    local is_marked, now = self.marks, core.clock()
    local leases, due = self.store:take(n, seconds, changes, is_marked)
    if not leases then return nil, due end
    local taken = read(self, leases, seconds, is_marked, now)
    if #taken > 0 or #leases == 0 then return taken, due end
    changes = nil
  end
end

function Queue:take(n, seconds)
  return self:exchange({}, n, seconds)
end

function Queue:ack(done)
  local changes = changes_of(done)
  if #changes == 0 then return true end
  local count, err = self.store:settle(changes)
  if not count then return nil, err end
  return true
end

function Queue.attempts(_, held)
  return held.lease.attempts
end

local function settle(self, held, change)
  if held.is_lost or held.change then return true end
  change.lease = held.lease
  local count, err = self.store:settle { change }
  if not count then return nil, err end
  return not change.lost or nil
end

function Queue:extend(held, seconds)
  held.seconds, held.ends = seconds, core.clock() + seconds
  return settle(self, held, { extend = seconds })
end

function Queue:release(held)
  return settle(self, held, { release = true })
end

function Queue:depth() return self.store:depth() end
function Queue:next_due() return self.store:next_due() end

---@param store waba.Store
---@return waba.SenderQueue
function queue.new(store)
  return setmetatable({ store = store, durable = store.durable, marks = false }, Queue)
end

return queue
