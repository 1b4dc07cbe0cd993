-- The store in the memory of this process; its entries are lost when the process ends. contract.lua describes the
-- methods.

local core = require "waba.core"
local errors = require "waba.errors"
local names = require "waba.store.names"

local clock, floor = core.clock, math.floor

-- At most this number of names of conversations is stored.
local MOST_NAMES = 100000

-- Values that expire ------------------------------------------------------------------------------

local Expiring = {}
Expiring.__index = Expiring

-- Values by name that expire; at most `most` values are kept. Values that are kept for the same number of seconds
-- expire in the order in which they were set, so there is one list for each number of seconds.
local function new_expiring(most)
  return setmetatable({ values = {}, ends = {}, lists = {}, count = 0, most = most or math.huge }, Expiring)
end

local function remove(self, name)
  if self.values[name] == nil then return end
  self.values[name], self.ends[name] = nil, nil
  self.count = self.count - 1
end

-- Removes from the front of a list: values that have expired, values that were set again later, and values beyond
-- `most`.
local function trim(self, list, now)
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
  if ends and ends > clock() then return self.values[name] end
end

function Expiring:set(name, value, seconds)
  local now = clock()
  if self.values[name] == nil then self.count = self.count + 1 end
  self.values[name], self.ends[name] = value, now + seconds
  local list = self.lists[seconds] or { first = 1, last = 0, names = {}, ends = {} }
  self.lists[seconds] = seconds < math.huge and list or nil
  list.last = list.last + 1
  list.names[list.last], list.ends[list.last] = name, now + seconds
  trim(self, list, now)
end

-- Adds a value unless the name has one; returns true if it was added. The shared dictionaries of nginx have the same
-- method.
function Expiring:add(name, value, seconds)
  if self:get(name) ~= nil then return false, "exists" end
  self:set(name, value, seconds)
  return true
end

-- Conversations -----------------------------------------------------------------------------------

---@class waba.MemoryStore : waba.Store
local Memory = {}
Memory.__index = Memory
Memory.__name = "waba.store.memory"
Memory.durable = false

-- A conversation with entries is in exactly one place: in a list `ready`, or in the heap `resting` until the time
-- `due`, while its first entry is leased or delayed. The first conversation in the heap has the earliest `due`; `place`
-- is the position of a conversation in the heap.

local function sift_up(heap, item, place)
  while place > 1 do
    local parent = heap[floor(place / 2)]
    if parent.due <= item.due then break end
    heap[place], parent.place = parent, place
    place = floor(place / 2)
  end
  heap[place], item.place = item, place
end

local function sift_down(heap, item, place)
  while 2 * place <= #heap do
    local child = 2 * place
    if child < #heap and heap[child + 1].due < heap[child].due then child = child + 1 end
    if heap[child].due >= item.due then break end
    heap[place] = heap[child]
    heap[place].place = place
    place = child
  end
  heap[place], item.place = item, place
end

local function stop_rest(self, conversation)
  local heap, place = self.resting, conversation.place
  if not place then return end
  local last = heap[#heap]
  heap[#heap], conversation.place = nil, nil
  if last == conversation then return end
  sift_down(heap, last, place)
  sift_up(heap, last, last.place)
end

local function rest(self, conversation, seconds)
  stop_rest(self, conversation)
  conversation.due = clock() + seconds
  sift_up(self.resting, conversation, #self.resting + 1)
end

local function make_ready(self, conversation)
  if conversation.is_ready then return end
  stop_rest(self, conversation)
  conversation.is_ready = true
  local list = conversation.bulk and self.ready_bulk or self.ready
  list.last = list.last + 1
  list[list.last] = conversation
end

-- Returns the conversation with a name; creates a missing one.
local function conversation_of(self, name, bulk)
  local conversation = name and self.conversations[name]
  if conversation then return conversation end
  conversation = { name = name, first = 1, last = 0, bulk = bulk }
  if name then self.conversations[name] = conversation end
  return conversation
end

local function add_entry(self, conversation, entry)
  conversation.last = conversation.last + 1
  conversation[conversation.last] = entry
  entry.conversation = conversation
  if conversation.first == conversation.last then make_ready(self, conversation) end
end

-- Appends an entry to its conversation. An entry with a time `at` is in no conversation until this time. Until then, the
-- heap contains it as a conversation with this entry only.
local function append(self, entry)
  if entry.at then
    entry.conversation = { first = 1, last = 1, entry, is_later = true }
    return rest(self, entry.conversation, entry.at - os.time())
  end
  local root = entry.names[1] and names.join(self.names, entry.names)
  add_entry(self, conversation_of(self, root and entry.lane .. root, entry.bulk), entry)
end

-- Returns whether the first entry of a conversation was taken before.
local function is_begun(conversation)
  local entry = conversation and conversation[conversation.first]
  return entry ~= nil and entry.attempts > 0
end

-- Moves the waiting entries of a conversation to a list, except the first entry if it was taken before.
local function take_waiting(conversation, into)
  local first = conversation.first + (is_begun(conversation) and 1 or 0)
  for position = first, conversation.last do
    into[#into + 1], conversation[position] = conversation[position], nil
  end
  conversation.last = first - 1
end

-- Moves the waiting entries of one conversation to another, in the order in which they were stored.
local function merge(self, from_name, to_name)
  local from, entries = self.conversations[from_name], {}
  if not from then return end
  take_waiting(from, entries)
  if #entries == 0 then return end
  local to = conversation_of(self, to_name, from.bulk)
  take_waiting(to, entries)
  table.sort(entries, function(a, b) return a.number < b.number end)
  for _, entry in ipairs(entries) do add_entry(self, to, entry) end
  if from.first > from.last then self.conversations[from_name] = nil end
end

-- The functions of this store that names.lua calls.
local function name_store(self)
  local known = new_expiring(MOST_NAMES)
  local store = { known = known }

  function store.next(name) return known:get(name) end

  function store.remember(name, root)
    local is_fresh = known:get(name) == root and known.ends[name] > clock() + names.REMEMBER / 2
    if not is_fresh then known:set(name, root, names.REMEMBER) end
  end

  function store.is_begun(root)
    for _, lane in ipairs(self.lanes) do
      if is_begun(self.conversations[lane .. root]) then return true end
    end
    return false
  end

  function store.merge(from, to)
    for _, lane in ipairs(self.lanes) do merge(self, lane .. from, lane .. to) end
  end

  return store
end

-- Removes the first entry of a conversation, so that the next entry can be taken.
local function remove_first(self, conversation)
  local entry = conversation[conversation.first]
  conversation[conversation.first] = nil
  conversation.first = conversation.first + 1
  self.count = self.count - 1
  if entry.id then self.ids[entry.id] = nil end
  if conversation.first <= conversation.last then
    make_ready(self, conversation)
  else
    stop_rest(self, conversation) -- a list `ready` skips empty conversations
    if conversation.name and self.conversations[conversation.name] == conversation then
      self.conversations[conversation.name] = nil
    end
  end
  return entry
end

-- Removes an entry from any position of its conversation. Returns whether the entry was there.
local function remove_entry(self, entry)
  local conversation = entry.conversation
  for position = conversation.first, conversation.last do
    if conversation[position] == entry then
      for place = position, conversation.first + 1, -1 do conversation[place] = conversation[place - 1] end
      conversation[conversation.first] = entry
      if position == conversation.first then
        remove_first(self, conversation)
      else -- another entry is the first one, and stays the first one
        conversation[conversation.first] = nil
        conversation.first, self.count = conversation.first + 1, self.count - 1
        if entry.id then self.ids[entry.id] = nil end
      end
      return true
    end
  end
  return false
end

local function make_dead(self, conversation, reason)
  local entry = remove_first(self, conversation)
  entry.lease, entry.died = nil, os.time()
  entry.reason = reason or entry.reason or "its lease was over before it was handled"
  self.dead[#self.dead + 1] = entry
  if entry.id then self.ids[entry.id] = entry end
end

local function remove_dead(self, entry)
  for position, other in ipairs(self.dead) do
    if other == entry then
      if entry.id then self.ids[entry.id] = nil end
      return table.remove(self.dead, position) ~= nil
    end
  end
  return false
end

-- Moves the conversations whose time `due` has come from the heap to the lists.
local function wake_due(self)
  local now = clock()
  while self.resting[1] and self.resting[1].due <= now do
    local conversation = self.resting[1]
    if conversation.is_later then
      stop_rest(self, conversation)
      local entry = conversation[1]
      entry.at = nil
      append(self, entry)
    else
      make_ready(self, conversation)
    end
  end
end

-- Returns the next conversation that is ready, or nil.
local function next_ready(list)
  while list.first <= list.last do
    local conversation = list[list.first]
    list[list.first] = nil
    list.first = list.first + 1
    conversation.is_ready = false
    if conversation.first <= conversation.last then return conversation end
  end
end

-- The contract ------------------------------------------------------------------------------------

-- If `is_made` is false, the records with `add` are not written.
local function write(self, records, is_made)
  for _, record in ipairs(records or {}) do
    local place = record.of_key and self.seen or self.records
    if record.add then
      local sum = (tonumber((place:get(record.name))) or 0) + record.add
      if is_made ~= false then place:set(record.name, ("%d"):format(sum), record.seconds or math.huge) end
    elseif record.value == nil then
      remove(place, record.name)
    elseif not record.rises or record.value > (place:get(record.name) or "") then
      place:set(record.name, record.value, record.seconds or math.huge)
    end
  end
end

-- Returns the position of the first entry whose key was recorded before with a different value.
local function find_conflict(self, entries)
  for index, given in ipairs(entries) do
    local value = given.same and self.seen:get(given.key)
    if value and value:sub(1, given.same) ~= given.value:sub(1, given.same) then return index end
  end
end

-- A dictionary of nginx also refuses a key when it is full; then the entry counts as new.
local function is_known(self, entry)
  if not entry.key then return false end
  local added, reason = self.seen:add(entry.key, entry.value or true, self.remember)
  return not added and reason == "exists"
end

function Memory:put(entries, records, taking)
  if self.count >= self.max then
    return nil, errors.new {
      kind = "unavailable", retryable = true,
      message = ("%s is full: it has %d entries, the limit of its option max"):format(self.title, self.max),
    }
  end
  local conflict, stored = find_conflict(self, entries), 0
  if conflict then return false, conflict end
  for _, given in ipairs(entries) do
    if is_known(self, given) then
      given.known = self.seen.get and self.seen:get(given.key) or nil
    else
      self.numbers, self.count, stored = self.numbers + 1, self.count + 1, stored + 1
      local entry = {
        number = self.numbers, stored = os.time(), since = clock(), attempts = 0, body = given.body,
        names = given.names or {}, lane = given.lane or "", bulk = given.bulk, id = given.id, at = given.at,
      }
      if entry.id then self.ids[entry.id] = entry end
      append(self, entry)
    end
  end
  write(self, records)
  if not taking then return stored end
  return stored, self:take(taking.n, taking.seconds, taking.changes)
end

-- Takes the first entry out of its conversation for some seconds.
local function defer(self, conversation, change)
  local entry = remove_first(self, conversation)
  self.count = self.count + 1
  if entry.id then self.ids[entry.id] = entry end
  entry.lease, entry.attempts, entry.body, entry.at = nil, 0, change.body, os.time() + change.later
  entry.is_marked = nil
  append(self, entry)
end

-- Makes one change. Returns true if the lease has not expired. Otherwise returns false; for "always" the second result
-- is then whether the entry still exists.
local function settle(self, change)
  local entry = change.lease.item
  local conversation = entry.conversation
  local is_held = entry.lease == change.lease and conversation[conversation.first] == entry and conversation.place
  if not is_held then
    return false, change.done == "always" and (remove_entry(self, entry) or remove_dead(self, entry))
  elseif change.done then
    for _, other in ipairs(change.following or {}) do remove_entry(self, other) end
    remove_first(self, conversation)
  elseif change.dead then
    make_dead(self, conversation, change.reason)
    for _, other in ipairs(change.following or {}) do
      other.attempts = entry.attempts
      if conversation[conversation.first] == other then make_dead(self, conversation, change.reason) end
    end
  elseif change.extend then
    if change.mark ~= nil then entry.is_marked = change.mark end
    rest(self, conversation, change.extend)
  elseif change.later then
    defer(self, conversation, change)
  else
    if change.release then entry.attempts = entry.attempts - 1 end
    entry.lease, entry.reason, entry.is_marked = nil, change.reason or entry.reason, change.lease.was_marked
    rest(self, conversation, change.delay or 0)
  end
  return true
end

function Memory:settle(changes, records)
  local held = 0
  for _, change in ipairs(changes) do
    local is_held, is_removed = settle(self, change)
    change.lost = not is_held
    if is_held then held = held + 1 end
    if is_held or change.done == "always" then write(self, change.records, is_held or is_removed) end
  end
  write(self, records)
  return held
end

function Memory:following(lease, n)
  local entry, list = lease.item, {}
  local conversation = entry.conversation
  for position = conversation.first + 1, math.min(conversation.last, conversation.first + n) do
    list[#list + 1] = conversation[position]
    list[#list].age = clock() - list[#list].since
  end
  return list, clock() - entry.since
end

function Memory:depth()
  return self.count
end

function Memory:next_due()
  wake_due(self)
  if self.ready.first <= self.ready.last or self.ready_bulk.first <= self.ready_bulk.last then return 0 end
  return self.resting[1] and math.max(0, self.resting[1].due - clock())
end

function Memory:take(n, seconds, changes, mark)
  if changes then self:settle(changes) end
  wake_due(self)
  local taken = {}
  while #taken < n do
    local conversation = next_ready(self.ready) or next_ready(self.ready_bulk)
    if not conversation then break end
    local entry = conversation[conversation.first]
    if entry.attempts >= self.attempts and not entry.is_marked then
      make_dead(self, conversation)
    else
      entry.attempts = entry.attempts + 1
      rest(self, conversation, seconds)
      entry.lease = { item = entry, attempts = entry.attempts, body = entry.body, was_marked = entry.is_marked }
      entry.is_marked = mark or entry.is_marked
      taken[#taken + 1] = entry.lease
    end
  end
  if #taken >= n then return taken end
  return taken, self:next_due() or false
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

-- Returns the conversations that have entries.
local function conversations(self)
  local list = {}
  for _, place in ipairs { self.ready, self.ready_bulk, self.resting } do
    for position = place.first or 1, place.last or #place do
      if place[position].first <= place[position].last then list[#list + 1] = place[position] end
    end
  end
  return list
end

-- Returns the waiting entries in the order in which they were stored.
local function waiting(self)
  local list = {}
  for _, conversation in ipairs(conversations(self)) do
    for position = conversation.first, conversation.last do list[#list + 1] = conversation[position] end
  end
  table.sort(list, function(a, b) return a.number < b.number end)
  return list
end

function Memory:oldest()
  local oldest
  for _, conversation in ipairs(conversations(self)) do
    local stored = conversation[conversation.first].stored
    if not oldest or stored < oldest then oldest = stored end
  end
  return oldest
end

function Memory:list(dead, n, after)
  local list, rows, position = dead and self.dead or waiting(self), {}, tonumber(after) or 0
  while #rows < n and list[position + 1] do
    position = position + 1
    rows[#rows + 1] = row_of(list[position])
  end
  return rows, list[position + 1] and tostring(position) or nil
end

function Memory:find(id)
  return self.ids[id] and row_of(self.ids[id])
end

function Memory:hasten(id)
  local entry = self.ids[id]
  if entry and entry.conversation.is_later then rest(self, entry.conversation, 0) end
  return true
end

function Memory:revive(rows)
  local count = 0
  for _, row in ipairs(rows) do
    local entry = row.entry
    if remove_dead(self, entry) then
      entry.died, entry.attempts, entry.reason = nil, 0, nil
      self.numbers, self.count, count = self.numbers + 1, self.count + 1, count + 1
      entry.number = self.numbers
      if entry.id then self.ids[entry.id] = entry end
      append(self, entry)
    end
  end
  return count
end

function Memory:drop(rows)
  local count = 0
  for _, row in ipairs(rows) do
    local entry = row.entry
    local is_free = row_of(entry).state ~= "taken"
    if is_free and remove_dead(self, entry) then
      count = count + 1
    elseif is_free and remove_entry(self, entry) then
      count = count + 1
      write(self, row.records)
    end
  end
  return count
end

function Memory:get(name)
  return self.records:get(name)
end

function Memory:get_all(list)
  local found = {}
  for _, name in ipairs(list) do found[name] = self.records:get(name) end
  return found
end

function Memory:record_names(prefix, n, after)
  local list = {}
  for name in pairs(self.records.values) do
    local is_next = name:sub(1, #prefix) == prefix and name > (after or "")
    if is_next and self.records:get(name) ~= nil then list[#list + 1] = name end
  end
  table.sort(list)
  local is_cut = #list > n
  for position = #list, n + 1, -1 do list[position] = nil end
  return list, is_cut and list[n] or nil
end

function Memory:close() end

local memory = {}

--- Makes a store in memory. `attempts`: the number of attempts after which an entry becomes a dead letter; `remember`:
--- seconds for which keys are known; `lanes`: all lanes that entries have; `max`: the number of waiting entries at
--- which `put` refuses further ones; `title`: the name of the store in errors; `seen`: a place to record keys, such as
--- a shared dictionary of nginx.
---@param settings { attempts: integer, remember: number, lanes: string[], max: integer, title: string, seen: table? }
---@return waba.MemoryStore
function memory.new(settings)
  local store = setmetatable({
    attempts = settings.attempts, remember = settings.remember, lanes = settings.lanes, max = settings.max,
    title = settings.title, seen = settings.seen or new_expiring(), records = new_expiring(),
    conversations = {}, ready = { first = 1, last = 0 }, ready_bulk = { first = 1, last = 0 }, resting = {},
    dead = {}, ids = {}, count = 0, numbers = 0,
  }, Memory)
  store.names = name_store(store)
  return store
end

return memory
