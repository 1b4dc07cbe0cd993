-- A list that keeps the newest entries and forgets the oldest: what the emulator remembers of
-- requests, messages and deliveries. Adding costs the same however much is kept.

---@class waba.emulator.Ring
---@field count integer  how many were ever added
local Ring = {}
Ring.__index = Ring
Ring.__name = "waba.emulator.Ring"

local ring = {}

--- Makes an empty ring.
---@param capacity integer          how many entries to keep
---@param forget? fun(entry: table) called with each entry that falls out
---@return waba.emulator.Ring
function ring.new(capacity, forget)
  return setmetatable({ capacity = capacity, forget = forget, entries = {}, count = 0 }, Ring)
end

--- Adds an entry and numbers it, from 1, in its field `sequence`.
---@param entry table
function Ring:add(entry)
  self.count = self.count + 1
  entry.sequence = self.count
  local place = (self.count - 1) % self.capacity + 1
  local oldest = self.entries[place]
  if oldest and self.forget then self.forget(oldest) end
  self.entries[place] = entry
end

--- The entries that are kept, oldest first.
---@param wanted? fun(entry: table): boolean
---@return table[]
function Ring:list(wanted)
  local list = {}
  local first = math.max(1, self.count - self.capacity + 1)
  for sequence = first, self.count do
    local entry = self.entries[(sequence - 1) % self.capacity + 1]
    if not wanted or wanted(entry) then list[#list + 1] = entry end
  end
  return list
end

return ring
