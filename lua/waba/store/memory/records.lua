-- The records of the store in memory, and the keys of its entries. A record is a named value that may expire.

local core = require "waba.core"

local clock, huge = core.clock, math.huge
local TRIM = 16 -- `Expiring:set` removes expired names from a list after this number of calls

local records = {}

-- The time at which the present call of the store began. Each call reads the clock only once, because LuaJIT can't
-- compile the function `clock`.
local now = clock()

function records.begin()
  now = clock()
  return now
end

function records.now() return now end

local Expiring = {}
Expiring.__index = Expiring

--- Makes a table of at most `most` named values that expire. Values that are kept for the same number of seconds expire
--- in the order in which they were set. The field `lists` has one list of names for each number of seconds.
function records.new(most)
  return setmetatable({ values = {}, ends = {}, lists = {}, count = 0, most = most or huge }, Expiring)
end

local function remove(self, name)
  if self.values[name] == nil then return end
  self.values[name], self.ends[name] = nil, nil
  self.count = self.count - 1
end

-- Removes names from the front of a list, and removes their values if they have expired, or while the table has more
-- than `most` values. A name whose value was set again later is removed only from the list.
local function trim(self, list)
  while list.first <= list.last do
    local name, ends = list.names[list.first], list.ends[list.first]
    if self.ends[name] == ends then
      if ends > now and self.count <= self.most then return end
      remove(self, name)
    end
    list.names[list.first], list.ends[list.first] = nil, nil
    list.first = list.first + 1
  end
end

function Expiring:get(name)
  local ends = self.ends[name]
  if ends and ends > now then return self.values[name] end
end

function Expiring:set(name, value, seconds)
  local values, ends = self.values, now + seconds
  if values[name] == nil then self.count = self.count + 1 end
  values[name], self.ends[name] = value, ends
  if seconds == huge then return end
  local list = self.lists[seconds]
  if not list then
    list = { first = 1, last = 0, names = {}, ends = {} }
    self.lists[seconds] = list
  end
  local last = list.last + 1
  list.last, list.names[last], list.ends[last] = last, name, ends
  if last % TRIM == 0 or self.count > self.most then trim(self, list) end
end

-- Sets a value if the name has no value. The method `add` of a shared dictionary of nginx has the same results.
function Expiring:add(name, value, seconds)
  if self:get(name) ~= nil then return false, "exists" end
  self:set(name, value, seconds)
  return true
end

--- Writes records. `is_made` is false if the change of the records was not made; then records with the field `add` are
--- not written.
function records.write(self, list, is_made)
  for index = 1, list and #list or 0 do
    local record = list[index]
    local place, value = record.of_key and self.seen or self.records, record.value
    if value ~= nil and not record.rises then
      place:set(record.name, value, record.seconds or huge)
    elseif record.add then
      local sum = (tonumber((place:get(record.name))) or 0) + record.add
      if is_made ~= false then place:set(record.name, ("%d"):format(sum), record.seconds or huge) end
    elseif value == nil then
      remove(place, record.name)
    elseif not place:get(record.name) or value > place:get(record.name) then
      place:set(record.name, value, record.seconds or huge)
    end
  end
end

function records.find_conflict(self, entries)
  for index, given in ipairs(entries) do
    local value = given.same and self.seen:get(given.key)
    if value and value:sub(1, given.same) ~= given.value:sub(1, given.same) then return index end
  end
end

--- Returns the number of entries whose keys are not recorded. If `seen` has no method `get`, counts all entries.
function records.count_new(self, entries)
  local count, in_list = 0, {}
  for _, given in ipairs(entries) do
    local key = given.key
    local is_known = key and (in_list[key] or self.seen.get and self.seen:get(key) ~= nil)
    if not is_known then count = count + 1 end
    if key then in_list[key] = true end
  end
  return count
end

--- Records an entry's key, and returns whether the key was recorded already. If a shared dictionary of nginx refuses
--- the key because the dictionary is full, the entry counts as new.
function records.is_known(self, entry)
  if not entry.key then return false end
  local added, reason = self.seen:add(entry.key, entry.value or true, self.remember)
  return not added and reason == "exists"
end

function records:get(name)
  if not self.records.ends[name] then return nil end
  records.begin()
  return self.records:get(name)
end

function records:get_all(list)
  local found = {}
  records.begin()
  for _, name in ipairs(list) do found[name] = self.records:get(name) end
  return found
end

function records:record_names(prefix, n, after)
  local list = {}
  records.begin()
  for name in pairs(self.records.values) do
    local is_next = name:sub(1, #prefix) == prefix and name > (after or "")
    if is_next and self.records:get(name) ~= nil then list[#list + 1] = name end
  end
  table.sort(list)
  local is_cut = #list > n
  for position = #list, n + 1, -1 do list[position] = nil end
  return list, is_cut and list[n] or nil
end

return records
