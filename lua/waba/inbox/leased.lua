-- Makes the event of a lease from the bytes in the store, or from a copy that `put` has kept.

local record = require "waba.inbox.record"

local leased = {}

local MOST = 256 * 1024 -- the bytes of the bodies in `inbox.recent` after which the table is emptied

local FIELDS = 16 -- most events have at most this number of fields, including the fields that a receiver adds

-- OpenResty's LuaJIT can copy a table. In other versions of LuaJIT, table.new makes a table that need not grow.
local has_clone, copy_of = pcall(require, "table.clone")
if not has_clone then
  local has_new, new_table = pcall(require, "table.new")
  function copy_of(event)
    local copy = has_new and new_table(0, FIELDS) or {}
    for name, value in pairs(event) do copy[name] = value end
    return copy
  end
end

--- Returns the event of a stored body; nil and a reason if the body can't be read. In an inbox in memory, each lease
--- has its own copy of the event, because `inbox.leases` finds the lease by the event.
function leased.restore(inbox, body)
  if inbox.durable then return record.decode(body) end
  return copy_of(body)
end

--- Returns the event of a lease. An event that `put` has stored lately is copied, because decoding its body costs more.
function leased.event(inbox, lease)
  local body = lease.body
  local event = lease.attempts == 1 and inbox.recent[body]
  if not event then return leased.restore(inbox, body) end
  inbox.recent[body] = nil
  return copy_of(event)
end

--- Keeps the events of a `put` by body, for `leased.event`. Other processes may take the events, so the size of the
--- kept events is limited.
function leased.keep(inbox, events, entries)
  if inbox.recent_size > MOST then inbox.recent, inbox.recent_size = {}, 0 end
  for index, event in ipairs(events) do
    local body = entries[index].body
    inbox.recent[body], inbox.recent_size = event, inbox.recent_size + #body
  end
end

return leased
