-- The inbox of scripts, tests and small bots: everything lies in this process and is gone with it.
-- The contract is in contract.lua.

local core = require "waba.core"
local customers = require "waba.inbox.customers"
local keys = require "waba.inbox.keys"
local options = require "waba.options"
local policy = require "waba.inbox.policy"

local clock = core.clock

-- Names of customers that are recorded at a time at most.
local MOST_CUSTOMERS = 100000

-- Keys known in this process. Each is forgotten after the same time, so the oldest is first.
local Seen = {}
Seen.__index = Seen

local function new_seen()
  return setmetatable({ until_ = {}, order = {}, first = 1, last = 0 }, Seen)
end

local function forget_old(seen, now)
  while seen.first <= seen.last do
    local key = seen.order[seen.first]
    if seen.until_[key] > now then return end
    seen.until_[key], seen.order[seen.first] = nil, nil
    seen.first = seen.first + 1
  end
end

-- The same call as that of nginx's shared dictionaries: true when the key was not there.
function Seen:add(key, _, seconds)
  local now = clock()
  forget_old(self, now)
  if self.until_[key] then return false, "exists" end
  self.until_[key] = now + seconds
  self.last = self.last + 1
  self.order[self.last] = key
  return true
end

---@class waba.MemoryInbox : waba.Inbox
local Memory = {}
Memory.__index = Memory
Memory.__name = "waba.inbox.memory"
Memory.durable = false

-- A conversation is in exactly one place: in `ready`, a list from `ready_first` to `ready_last`; or
-- in `resting`, until its `due`, while its first event is leased or delayed.

local function make_ready(inbox, conversation)
  if conversation.is_ready then return end
  conversation.due, conversation.is_ready = nil, true
  inbox.ready_last = inbox.ready_last + 1
  inbox.ready[inbox.ready_last] = conversation
end

local function rest(inbox, conversation, seconds)
  conversation.due = clock() + seconds
  inbox.resting[conversation] = true
  if not inbox.earliest or conversation.due < inbox.earliest then inbox.earliest = conversation.due end
end

-- Ends the rest of the conversations whose time has come.
local function wake_due(inbox)
  local now = clock()
  if not inbox.earliest or inbox.earliest > now then return end
  local due, earliest = {}, nil
  for conversation in pairs(inbox.resting) do
    if conversation.due <= now then
      due[#due + 1] = conversation
    elseif not earliest or conversation.due < earliest then
      earliest = conversation.due
    end
  end
  table.sort(due, function(a, b) return a[a.first].number < b[b.first].number end)
  for _, conversation in ipairs(due) do
    inbox.resting[conversation] = nil
    make_ready(inbox, conversation)
  end
  inbox.earliest = earliest
end

-- Returns the conversation of a name; makes it if need be.
local function conversation_of(inbox, name)
  local conversation = name and inbox.conversations[name]
  if conversation then return conversation end
  conversation = { name = name, first = 1, last = 0 }
  if name then inbox.conversations[name] = conversation end
  make_ready(inbox, conversation)
  return conversation
end

local function add_entry(conversation, entry)
  conversation.last = conversation.last + 1
  conversation[conversation.last] = entry
  entry.conversation = conversation
end

local function append(inbox, event)
  local lane, names = keys.conversation(event, inbox.separate_statuses)
  local name = names[1] and lane .. customers.join(inbox.customers, names)
  inbox.numbers = inbox.numbers + 1
  add_entry(conversation_of(inbox, name), { event = event, number = inbox.numbers, attempts = 0 })
  inbox.count = inbox.count + 1
end

-- Whether the first event of a conversation was taken before.
local function is_begun(conversation)
  local entry = conversation and conversation[conversation.first]
  return entry ~= nil and entry.attempts > 0
end

-- Removes the waiting events from a conversation, except a first event that was taken before.
local function take_waiting(conversation, into)
  local first = conversation.first + (is_begun(conversation) and 1 or 0)
  for position = first, conversation.last do
    into[#into + 1], conversation[position] = conversation[position], nil
  end
  conversation.last = first - 1
end

-- Joins the waiting events of two conversations, in the order in which they arrived.
local function merge(inbox, from_name, to_name)
  local from, entries = inbox.conversations[from_name], {}
  if not from then return end
  local to = conversation_of(inbox, to_name)
  take_waiting(from, entries)
  take_waiting(to, entries)
  table.sort(entries, function(a, b) return a.number < b.number end)
  for _, entry in ipairs(entries) do add_entry(to, entry) end
  if from.first > from.last then inbox.conversations[from_name] = nil end
  if to.first > to.last then inbox.conversations[to_name] = nil end
end

-- The customers' names of this inbox. The name that has not occurred for the longest time is removed first.
local function new_customers(inbox)
  local next_of, until_, order, first, last, count = {}, {}, {}, 1, 0, 0
  local store = {}

  local function forget_oldest(now)
    while first <= last do
      local entry = order[first]
      local is_current = until_[entry.name] == entry.until_
      if is_current and count <= inbox.max_customers and entry.until_ > now then return end
      if is_current then
        next_of[entry.name], until_[entry.name] = nil, nil
        count = count - 1
      end
      order[first] = nil
      first = first + 1
    end
  end

  function store.next(name)
    return next_of[name] and until_[name] > clock() and next_of[name] or nil
  end

  function store.remember(name, root)
    local now = clock()
    if not next_of[name] then count = count + 1 end
    local is_fresh = next_of[name] == root and until_[name] > now + customers.REMEMBER / 2
    next_of[name] = root
    if is_fresh then return end
    until_[name] = now + customers.REMEMBER
    last = last + 1
    order[last] = { name = name, until_ = until_[name] }
    forget_oldest(now)
  end

  function store.is_begun(root)
    for _, lane in ipairs(keys.LANES) do
      if is_begun(inbox.conversations[lane .. root]) then return true end
    end
    return false
  end

  function store.merge(from, to)
    for _, lane in ipairs(keys.LANES) do merge(inbox, lane .. from, lane .. to) end
  end

  return store
end

-- Takes the first event out of its conversation and lets the next one come.
local function remove_first(inbox, conversation)
  local entry = conversation[conversation.first]
  conversation[conversation.first] = nil
  conversation.first = conversation.first + 1
  inbox.count = inbox.count - 1
  inbox.resting[conversation] = nil
  if conversation.first > conversation.last then -- empty; `ready` skips it
    if inbox.conversations[conversation.name or ""] == conversation then
      inbox.conversations[conversation.name] = nil
    end
  else
    make_ready(inbox, conversation)
  end
  return entry
end

local function set_aside(inbox, conversation)
  local entry = remove_first(inbox, conversation)
  entry.aside = {
    event = entry.event, attempts = entry.attempts, at = os.time(),
    reason = entry.reason or "its lease was over before it was handled",
  }
  inbox.aside[#inbox.aside + 1] = entry.aside
end

-- The entry a worker still holds, or nil. Raises for what was never taken from here.
local function held(inbox, event)
  local lease = inbox.leases[event]
  if not lease then error("this event was not taken from this inbox", 3) end
  local conversation = lease.conversation
  local entry = conversation[conversation.first]
  if entry and entry.lease == lease and inbox.resting[conversation] then return entry, conversation end
end

-- A full dictionary of nginx says no for another reason; then the event counts as new.
local function is_known(inbox, event)
  local key = keys.identity(event)
  if not key then return false end
  local added, reason = inbox.seen:add(key, true, inbox.remember)
  return not added and reason == "exists"
end

function Memory:put(events)
  if self.count >= self.max then return nil, policy.unavailable("the inbox is full") end
  local stored = 0
  for _, event in ipairs(events) do
    if not is_known(self, event) then
      append(self, event)
      stored = stored + 1
    end
  end
  return stored
end

function Memory:take(n, lease)
  wake_due(self)
  local taken = {}
  while #taken < (n or 1) and self.ready_first <= self.ready_last do
    local conversation = self.ready[self.ready_first]
    self.ready[self.ready_first] = nil
    self.ready_first = self.ready_first + 1
    conversation.is_ready = false
    local entry = conversation[conversation.first]
    if entry and entry.attempts >= self.retry.attempts then
      set_aside(self, conversation)
    elseif entry then
      entry.attempts = entry.attempts + 1
      rest(self, conversation, lease or policy.LEASE)
      -- a table of its own for each time, so that a worker that comes too late is known
      local event = {}
      for name, value in pairs(entry.event) do event[name] = value end
      entry.lease = { conversation = conversation, entry = entry, attempts = entry.attempts }
      self.leases[event] = entry.lease
      taken[#taken + 1] = event
    end
  end
  return taken
end

function Memory:attempts(event)
  local lease = self.leases[event]
  return lease and lease.attempts or 0
end

function Memory:extend(event, lease)
  local entry, conversation = held(self, event)
  if not entry then return nil, policy.lease_lost() end
  rest(self, conversation, lease or policy.LEASE)
  return true
end

-- Ends an event whose lease has expired, in whatever state it is.
local function remove_lost(inbox, event)
  local entry = inbox.leases[event].entry
  local conversation = entry.conversation
  for position = conversation.first, conversation.last do
    if conversation[position] == entry then
      if position == conversation.first then return remove_first(inbox, conversation) end
      for place = position, conversation.last do conversation[place] = conversation[place + 1] end
      conversation.last, inbox.count = conversation.last - 1, inbox.count - 1
      return
    end
  end
  for position, item in ipairs(inbox.aside) do
    if item == entry.aside then return table.remove(inbox.aside, position) end
  end
end

function Memory:ack(event, is_done)
  local lost = false
  for _, one in ipairs(policy.as_list(event)) do
    local entry, conversation = held(self, one)
    if entry then
      remove_first(self, conversation)
    else
      lost = true
      if is_done then remove_lost(self, one) end
    end
  end
  if lost then return nil, policy.lease_lost() end
  return true
end

function Memory:fail(event, reason, is_final)
  local entry, conversation = held(self, event)
  if not entry then return nil, policy.lease_lost() end
  entry.reason = tostring(reason or "no reason was given")
  if is_final or entry.attempts >= self.retry.attempts then
    set_aside(self, conversation)
    return false
  end
  local delay = policy.delay(self.retry, entry.attempts)
  entry.lease = nil
  rest(self, conversation, delay)
  return delay
end

function Memory:release(event)
  local entry, conversation = held(self, event)
  if not entry then return nil, policy.lease_lost() end
  entry.attempts, entry.lease = entry.attempts - 1, nil
  rest(self, conversation, 0)
  return true
end

function Memory:set_aside(n)
  local list = {}
  for index = 1, math.min(n or 100, #self.aside) do list[index] = self.aside[index] end
  return list
end

function Memory:revive()
  local aside = self.aside
  self.aside = {}
  for _, item in ipairs(aside) do append(self, item.event) end
  return #aside
end

function Memory:depth()
  return self.count
end

function Memory:next_due()
  if self.ready_first <= self.ready_last then return 0 end
  return self.earliest and math.max(0, self.earliest - clock())
end

function Memory:close() end

local memory = {}

--- The options of `waba.inbox.memory`.
---@options waba.MemoryInboxOptions : waba.InboxOptions
local OPTIONS = options.with(policy.OPTIONS, {
  remember = { "number>0", 2 * 86400 }, -- seconds for which duplicates are known; they cost memory
  max = { "integer>=0", 100000 },       -- events that may wait; more are refused
  seen = "table|userdata",              -- stores the keys of known events; with a shared dictionary of nginx
                                        -- (`ngx.shared.name`) all workers know the duplicates
})

--- An inbox in memory.
---@param given? waba.MemoryInboxOptions
---@return waba.MemoryInbox
function memory.new(given)
  local settings = policy.settings(given, OPTIONS, "waba.inbox.memory")
  local inbox = setmetatable({
    retry = settings.retry, remember = settings.remember, max = settings.max, max_customers = MOST_CUSTOMERS,
    seen = settings.seen or new_seen(),
    conversations = {}, ready = {}, ready_first = 1, ready_last = 0, resting = {}, earliest = nil,
    aside = {}, count = 0, numbers = 0, leases = setmetatable({}, { __mode = "k" }),
  }, Memory)
  inbox.customers = new_customers(inbox)
  return inbox
end

return memory
