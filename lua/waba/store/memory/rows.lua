-- Counts, lists, changes and removes the entries and dead letters of the store in memory.

local conversations = require "waba.store.memory.conversations"
local records = require "waba.store.memory.records"

local rows = {}

function rows:depth()
  return self.count
end

local function row_of(entry)
  local conversation = entry.conversation
  local is_taken = entry.lease and conversation[conversation.first] == entry and conversation.place
  return {
    id = ("%d"):format(entry.number), conversation = conversation.name, at = entry.died or entry.stored,
    attempts = entry.attempts, reason = entry.reason, body = entry.body, entry = entry,
    state = entry.died and "dead" or is_taken and "taken" or "waiting", is_marked = entry.is_marked,
  }
end

local function all_conversations(self)
  local list = {}
  for _, place in ipairs { self.ready, self.ready_bulk, self.resting } do
    for position = place.first or 1, place.last or #place do
      if place[position].first <= place[position].last then list[#list + 1] = place[position] end
    end
  end
  return list
end

local function waiting(self)
  local list = {}
  for _, conversation in ipairs(all_conversations(self)) do
    for position = conversation.first, conversation.last do list[#list + 1] = conversation[position] end
  end
  table.sort(list, function(a, b) return a.number < b.number end)
  return list
end

local function dead_letters(self)
  local list = {}
  for position = self.dead.first, self.dead.last do list[#list + 1] = self.dead[position] end
  return list
end

function rows:oldest()
  local oldest
  for _, conversation in ipairs(all_conversations(self)) do
    local stored = conversation[conversation.first].stored
    if not oldest or stored < oldest then oldest = stored end
  end
  return oldest
end

function rows:list(dead, n, after)
  local list, page, position = dead and dead_letters(self) or waiting(self), {}, tonumber(after) or 0
  while #page < n and list[position + 1] do
    position = position + 1
    page[#page + 1] = row_of(list[position])
  end
  return page, list[position + 1] and tostring(position) or nil
end

function rows:find(id)
  return self.ids[id] and row_of(self.ids[id])
end

function rows:hasten(id)
  local entry = self.ids[id]
  records.begin()
  if entry and entry.conversation.is_later then conversations.rest(self, entry.conversation, 0) end
  return true
end

-- Calls `change` with each row. Returns the number of calls that returned true.
local function count_changed(self, list, change)
  local count = 0
  records.begin()
  for _, row in ipairs(list) do
    if change(self, row.entry, row) then count = count + 1 end
  end
  return count
end

local function revive(self, entry)
  if not conversations.remove_dead(self, entry) then return false end
  self.numbers, self.count = self.numbers + 1, self.count + 1
  entry.number, entry.died, entry.attempts, entry.reason = self.numbers, nil, 0, nil
  if entry.id then self.ids[entry.id] = entry end
  conversations.append(self, entry)
  return true
end

local function drop(self, entry, row)
  local is_changed = row.records and (entry.is_marked or entry.body ~= row.body)
  if is_changed or row_of(entry).state == "taken" then return false end
  if conversations.remove_dead(self, entry) then return true end
  if not conversations.remove_entry(self, entry) then return false end
  records.write(self, row.records)
  return true
end

function rows:revive(list) return count_changed(self, list, revive) end
function rows:drop(list) return count_changed(self, list, drop) end

return rows
