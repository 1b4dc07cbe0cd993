-- The conversations of the store in memory: the method `put`, the order of entries, and the names of conversations.

local errors = require "waba.errors"
local names = require "waba.store.names"
local records = require "waba.store.memory.records"

local floor, now = math.floor, records.now

local conversations = {}

local MOST_NAMES = 100000 -- the largest number of names of conversations in memory
local NO_NAMES = {}

-- A conversation with entries is either in one of the lists `ready` and `ready_bulk`, or in the heap `resting`. The
-- heap contains the conversations whose first entry is leased or delayed, until their time `due`. The first
-- conversation in the heap has the earliest `due`. The field `place` is the position of a conversation in the heap.

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
  local last = heap[#heap]
  heap[#heap], conversation.place = nil, false
  if last == conversation then return end
  sift_down(heap, last, place)
  sift_up(heap, last, last.place)
end

--- Moves a conversation into the heap, so that its first entry is not taken for `seconds` seconds.
function conversations.rest(self, conversation, seconds)
  if conversation.place then stop_rest(self, conversation) end
  conversation.due = now() + seconds
  sift_up(self.resting, conversation, #self.resting + 1)
end

local function make_ready(self, conversation)
  if conversation.is_ready then return end
  if conversation.place then stop_rest(self, conversation) end
  conversation.is_ready = true
  local list = conversation.bulk and self.ready_bulk or self.ready
  list.last = list.last + 1
  list[list.last] = conversation
end

-- Returns or creates the conversation with a name. The new table has all fields, because a table that grows costs more.
local function conversation_of(self, name, bulk)
  local conversation = name and self.conversations[name]
  if conversation then return conversation end
  conversation = { nil, name = name, first = 1, last = 0, bulk = bulk, due = 0, place = false, is_ready = false }
  if name then self.conversations[name] = conversation end
  return conversation
end

local function add_entry(self, conversation, entry)
  conversation.last = conversation.last + 1
  conversation[conversation.last] = entry
  entry.conversation = conversation
  if conversation.first == conversation.last then make_ready(self, conversation) end
end

--- Appends an entry to its conversation. An entry has a conversation of its own until its time `at`.
function conversations.append(self, entry)
  if entry.at then
    entry.conversation = { first = 1, last = 1, entry, is_later = true }
    return conversations.rest(self, entry.conversation, entry.at - os.time())
  end
  local root = entry.names[1] and names.join(self.names, entry.names)
  add_entry(self, conversation_of(self, root and entry.lane .. root, entry.bulk), entry)
end

-- Returns whether the first entry of a conversation was taken before.
local function is_begun(conversation)
  local entry = conversation and conversation[conversation.first]
  return entry ~= nil and entry.attempts > 0
end

-- Moves the entries of a conversation to a list. A first entry that was taken before stays in the conversation.
local function take_waiting(conversation, into)
  local first = conversation.first + (is_begun(conversation) and 1 or 0)
  for position = first, conversation.last do
    into[#into + 1], conversation[position] = conversation[position], nil
  end
  conversation.last = first - 1
end

-- Moves the waiting entries of one conversation to another conversation. Sorts the entries by the time of storing.
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

function conversations.name_store(self)
  local known = records.new(MOST_NAMES)
  local store = { known = known }

  function store.next(name) return known:get(name) end

  function store.remember(name, root)
    local is_fresh = known:get(name) == root and known.ends[name] > now() + names.REMEMBER / 2
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

function conversations.remove_first(self, conversation)
  local first, name = conversation.first, conversation.name
  local entry = conversation[first]
  conversation[first], conversation.first = nil, first + 1
  self.count = self.count - 1
  if entry.id then self.ids[entry.id] = nil end
  if first < conversation.last then
    make_ready(self, conversation)
  else -- leaves the heap; `next_ready` removes empty conversations from the lists
    if conversation.place then stop_rest(self, conversation) end
    if name and self.conversations[name] == conversation then self.conversations[name] = nil end
  end
  return entry
end

--- Removes an entry from any position of its conversation. Returns whether the conversation contained the entry.
function conversations.remove_entry(self, entry)
  local conversation = entry.conversation
  for position = conversation.first, conversation.last do
    if conversation[position] == entry then
      for place = position, conversation.first + 1, -1 do conversation[place] = conversation[place - 1] end
      conversation[conversation.first] = entry
      if position == conversation.first then
        conversations.remove_first(self, conversation)
      else -- another entry stays the first, with its lease or delay
        conversation[conversation.first] = nil
        conversation.first, self.count = conversation.first + 1, self.count - 1
        if entry.id then self.ids[entry.id] = nil end
      end
      return true
    end
  end
  return false
end

function conversations.make_dead(self, conversation, reason)
  local entry = conversations.remove_first(self, conversation)
  entry.lease, entry.is_marked, entry.died = nil, nil, os.time()
  entry.reason = reason or entry.reason or "its lease was over before it was handled"
  local dead = self.dead
  dead.last, entry.position = dead.last + 1, dead.last + 1
  dead[dead.last] = entry
  if entry.id then self.ids[entry.id] = entry end
end

--- Removes a dead letter. Returns whether the entry was a dead letter.
function conversations.remove_dead(self, entry)
  local dead, position = self.dead, entry.position
  if not position or dead[position] ~= entry then return false end
  dead[position] = nil
  while dead.first <= dead.last and not dead[dead.first] do dead.first = dead.first + 1 end
  if entry.id then self.ids[entry.id] = nil end
  return true
end

--- Moves the conversations that are due from the heap to the lists.
function conversations.wake_due(self)
  while self.resting[1] and self.resting[1].due <= now() do
    local conversation = self.resting[1]
    if conversation.is_later then
      stop_rest(self, conversation)
      local entry = conversation[1]
      entry.at = nil
      conversations.append(self, entry)
    else
      make_ready(self, conversation)
    end
  end
end

--- Returns whether a list has a conversation with entries.
function conversations.has_ready(list)
  for position = list.first, list.last do
    if list[position].first <= list[position].last then return true end
  end
  return false
end

--- Removes the next conversation with entries, and empty conversations before it, from a list. Returns the conversation
--- or nil.
function conversations.next_ready(list)
  local first, last, conversation = list.first, list.last, nil
  while first <= last do
    conversation = list[first]
    list[first], conversation.is_ready, first = nil, false, first + 1
    if conversation.first <= conversation.last then break end
    conversation = nil
  end
  if first > last then first, list.last = 1, 0 end -- keeps the positions of a short list small
  list.first = first
  return conversation
end

local function is_full(self, more)
  return errors.new {
    kind = "unavailable", retryable = true,
    message = ("%s is full: it has %d entries, and %d more exceed the limit of its option max, %d"):format(self.title,
      self.count, more, self.max),
  }
end

function conversations:put(entries, list, taking)
  local since, time = records.begin(), os.time()
  if self.count + #entries > self.max then
    local more = records.count_new(self, entries)
    if more > 0 and self.count + more > self.max then return nil, is_full(self, more) end
  end
  local conflict, stored = records.find_conflict(self, entries), 0
  if conflict then return false, conflict end
  for _, given in ipairs(entries) do
    if records.is_known(self, given) then
      given.known = self.seen.get and self.seen:get(given.key) or nil
    else
      self.numbers, self.count, stored = self.numbers + 1, self.count + 1, stored + 1
      local entry = {
        number = self.numbers, stored = time, since = since, attempts = 0, body = given.body,
        names = given.names or NO_NAMES, lane = given.lane or "", bulk = given.bulk, id = given.id, at = given.at,
        conversation = false, lease = false,
      }
      if entry.id then self.ids[entry.id] = entry end
      conversations.append(self, entry)
    end
  end
  records.write(self, list)
  if not taking then return stored end
  return stored, self:take(taking.n, taking.seconds, taking.changes)
end

return conversations
