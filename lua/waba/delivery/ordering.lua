-- One message after the other to each recipient: the next one is held until the one before was accepted, or,
-- where somebody tells of statuses, until it was delivered. Whatever becomes of the one before, it holds nobody
-- for longer than its own time.

local core = require "waba.core"
local errors = require "waba.errors"
local keyed = require "waba.delivery.keyed"
local lines = require "waba.delivery.line"
local waiters = require "waba.transport.waiter"

local clock = core.clock

---@class waba.Ordering
local Ordering = {}
Ordering.__index = Ordering
Ordering.__name = "waba.Ordering"

local ordering = {}

local DELIVERED_TIMEOUT = 10

-- Statuses after which nothing can overtake the message any more.
local FINAL = { delivered = true, read = true, played = true, failed = true, deleted = true }

-- A holder's coroutine may end without a word: the first in line looks this often, in seconds.
local BEAT = 0.5
-- What a call may need beyond its deadline to come to its end.
local GRACE = 1

-- Statuses may be faster than the answer to the message: so many are kept in mind.
local EARLY = 1024

-- ---- A conversation: the gate of its line. ---------------------------------------------------------

local Conversation = {}
Conversation.__index = Conversation

local function stop_awaiting(self)
  if self.awaited then self.ordering.awaited[self.awaited] = nil end
  self.awaited, self.awaited_until = nil, nil
end

function Conversation:delay(now)
  local holder = self.holder
  if holder then
    local left = holder.lost_at - now
    if left > 0 and holder.waiter:is_alive() then return math.min(left, BEAT) end
    self.holder = nil
  end
  if not self.awaited then return 0 end
  local left = self.awaited_until - now
  if left > 0 then return left end
  stop_awaiting(self)
  return 0
end

-- Nobody knows how long the one before will take.
function Conversation.earliest() return 0 end

-- Whoever passes says so himself, see Turn:wait.
function Conversation.take() end

function Conversation:try(now) return self:delay(now) == 0 end

-- ---- The order of one client's messages. -----------------------------------------------------------

---@return waba.Ordering
function ordering.new()
  local self = setmetatable({
    awaited = {}, -- message id to its conversation
    sending = 0, -- messages without an answer yet
    early = {}, early_order = {}, early_count = 0, -- ids whose status came before the answer
    watched = setmetatable({}, { __mode = "k" }),
  }, Ordering)
  self.conversations = keyed.new(function(to)
    local conversation = setmetatable({ ordering = self, to = to }, Conversation)
    conversation.line = lines.new(conversation)
    return conversation
  end, function(conversation, now)
    return conversation.line:is_empty() and conversation:delay(now) == 0
  end)
  return self
end

local function remember_early(self, id)
  if self.sending == 0 or self.early[id] then return end
  local slot = self.early_count % EARLY + 1
  local old = self.early_order[slot]
  if old then self.early[old] = nil end
  self.early[id], self.early_order[slot], self.early_count = true, id, self.early_count + 1
end

local function forget_early(self)
  if self.early_count == 0 then return end
  self.early, self.early_order, self.early_count = {}, {}, 0
end

local function forget_if_idle(self, conversation, now)
  if conversation.line:is_empty() and conversation:delay(now) == 0 then
    self.conversations:forget(conversation.to)
  end
end

--- Hears of a status event.
---@param event table
function Ordering:hear(event)
  -- a type: it is about a payment or a call
  if event.kind ~= "status" or event.type or not event.id or not FINAL[event.status] then return end
  local conversation = self.awaited[event.id]
  if not conversation then return remember_early(self, event.id) end
  stop_awaiting(conversation)
  local now = clock()
  conversation.line:notify(now)
  forget_if_idle(self, conversation, now)
end

-- Listens to a receiver or a tracker, once.
local function watch(self, source)
  if self.watched[source] then return end
  self.watched[source] = true
  source:watch(function(event) self:hear(event) end)
end

--- Sends everybody away who waits.
function Ordering:close()
  for _, conversation in pairs(self.conversations.things) do conversation.line:close() end
end

-- ---- One message's turn. ---------------------------------------------------------------------------

---@class waba.OrderedTurn
local Turn = {}
Turn.__index = Turn

--- The turn of a message, not waited for yet.
---@param to string
---@param given true|waba.OrderedOptions
---@param spare number  seconds that the whole may take beyond the deadline of one call
---@return waba.OrderedTurn
function Ordering:turn(to, given, spare)
  local turn = setmetatable({ ordering = self, to = to, spare = spare + GRACE, awaits = false }, Turn)
  if type(given) == "table" then
    for _, source in pairs { given.receiver, given.tracker } do
      watch(self, source)
      turn.awaits = true
    end
    turn.timeout = given.timeout or DELIVERED_TIMEOUT
  end
  return turn
end

local function too_late(conversation)
  return errors.new {
    kind = "timeout", retryable = true, scope = "order",
    message = conversation.awaited and "the time was over before the message before this one was delivered"
      or "the time was over before the message before this one was accepted",
  }
end

--- Waits until all messages before this one are done. Harmless when its turn has come already.
---@param transport waba.Transport
---@param now number
---@param deadline number
---@return number|nil now
---@return waba.Error? err
function Turn:wait(transport, now, deadline)
  local conversation = self.conversation
  if not conversation then
    conversation = self.ordering.conversations:get(self.to, now)
    if not conversation.line:try(now) then
      now = conversation.line:wait(transport, now, deadline)
      if not now then
        local err = too_late(conversation)
        forget_if_idle(self.ordering, conversation, clock())
        return nil, err
      end
    end
    self.waiter = waiters.of(transport)
    self.conversation, conversation.holder = conversation, self
    self.ordering.sending = self.ordering.sending + 1
  end
  self.lost_at = deadline + self.spare
  return now
end

-- From now on a status is awaited, if it did not come before.
local function await(self, conversation, id, now)
  if self.ordering.early[id] then return end
  conversation.awaited, conversation.awaited_until = id, now + self.timeout
  self.ordering.awaited[id] = conversation
end

--- The message has its result: lets the next one go, at once or when this one is delivered. For `runtime.ensure`.
---@param ok boolean
---@param sent waba.Sent|nil
function Turn:finish(ok, sent)
  local conversation, order = self.conversation, self.ordering
  if not conversation then return end
  self.conversation = nil
  order.sending = order.sending - 1
  if conversation.holder ~= self then return end -- it was given up
  conversation.holder = nil
  local now = clock()
  if ok and sent and sent.id and self.awaits then await(self, conversation, sent.id, now) end
  if order.sending == 0 then forget_early(order) end
  conversation.line:notify(now)
  forget_if_idle(order, conversation, now)
end

return ordering
