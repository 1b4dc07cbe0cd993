-- The method `settle` of the store in memory, which changes taken entries.

local conversations = require "waba.store.memory.conversations"
local records = require "waba.store.memory.records"

local changes = {}

local NO_ENTRIES = {}
-- The lease of a removed entry contains this table instead of the entry, so that the entry can be collected while an
-- inbox still refers to the lease.
local REMOVED = { since = 0, conversation = { first = 1, last = 0 } }

-- Removes the first entry from a conversation. The entry returns to the conversation after `change.later` seconds.
local function defer(self, conversation, change)
  local entry = conversations.remove_first(self, conversation)
  self.count = self.count + 1
  if entry.id then self.ids[entry.id] = entry end
  entry.lease, entry.attempts, entry.body, entry.at = nil, 0, change.body, os.time() + change.later
  entry.is_marked = nil
  conversations.append(self, entry)
end

-- Makes one change. Returns whether the lease was valid. If the lease was not valid and `done` is "always", the second
-- result is whether the entry was removed.
local function make_change(self, change)
  local lease, following = change.lease, change.following or NO_ENTRIES
  local entry = lease.item
  local conversation = entry.conversation
  local is_held = entry.lease == lease and conversation[conversation.first] == entry and conversation.place
  if not is_held then
    return false, change.done == "always"
      and (conversations.remove_entry(self, entry) or conversations.remove_dead(self, entry))
  elseif change.done then
    for index = 1, #following do conversations.remove_entry(self, following[index]) end
    conversations.remove_first(self, conversation)
    lease.item = REMOVED
  elseif change.dead then
    conversations.make_dead(self, conversation, change.reason)
    for _, other in ipairs(following) do
      other.attempts = entry.attempts
      if conversation[conversation.first] == other then conversations.make_dead(self, conversation, change.reason) end
    end
  elseif change.extend then
    if change.mark ~= nil then entry.is_marked = change.mark end
    conversations.rest(self, conversation, change.extend)
  elseif change.later then
    defer(self, conversation, change)
  else
    if change.release then entry.attempts = entry.attempts - 1 end
    entry.lease, entry.reason, entry.is_marked = nil, change.reason or entry.reason, change.lease.was_marked
    conversations.rest(self, conversation, change.delay or 0)
  end
  return true
end

function changes:settle(list, more_records)
  local held = 0
  records.begin()
  for _, change in ipairs(list) do
    local is_held, is_removed = make_change(self, change)
    change.lost = not is_held
    if is_held then held = held + 1 end
    if is_held or change.done == "always" then records.write(self, change.records, is_held or is_removed) end
  end
  records.write(self, more_records)
  return held
end

return changes
