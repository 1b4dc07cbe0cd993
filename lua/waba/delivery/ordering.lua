-- Sends the messages to one recipient in order. Each message waits until the previous message was accepted, or, if the
-- option `ordered` names a source of statuses, until the previous message was delivered. The timeout of a message
-- limits how long the next message waits.

local core = require "waba.core"
local errors = require "waba.errors"
local keyed = require "waba.delivery.keyed"
local queues = require "waba.delivery.queue"
local waiters = require "waba.transport.waiter"

local clock = core.clock

---@class waba.Ordering
local Ordering = { __name = "waba.Ordering" }
Ordering.__index = Ordering

local ordering = {}

local DELIVERED_TIMEOUT = 10

-- The final statuses of a message. After a final status of a message, no later message can arrive before this message.
local FINAL = { delivered = true, read = true, played = true, failed = true, deleted = true }

-- Every BEAT seconds the first waiting call checks whether the coroutine of the previous call still exists.
local BEAT = 0.5
local GRACE = 1 -- seconds that a call may need to end after its deadline

local EARLY = 1024 -- the number of message ids that `remember_early` stores

-- A conversation: the messages to one recipient, as the limiter of a queue ------------------------

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

-- Returns 0, because the library can't predict when the previous message will be finished.
function Conversation.earliest() return 0 end

-- Does nothing, because `Slot:wait` stores which call has taken the slot.
function Conversation.take() end

function Conversation:try(now) return self:delay(now) == 0 end

-- The order of one client's messages --------------------------------------------------------------

function ordering.new()
  local self = setmetatable({
    awaited = {}, -- the conversation of each sent message without a final status, by message id
    sending = 0, -- the number of messages whose response has not arrived yet
    early = {}, early_order = {}, early_count = 0, -- see `remember_early`
    watched = setmetatable({}, { __mode = "k" }),
  }, Ordering)
  self.conversations = keyed.new(function(to)
    local conversation = setmetatable({ ordering = self, to = to }, Conversation)
    conversation.queue = queues.new(conversation)
    return conversation
  end, function(conversation, now)
    return conversation.queue:is_empty() and conversation:delay(now) == 0
  end)
  return self
end

-- Stores the id of a message that has its final status, because the status can arrive before the response to the
-- message.
local function remember_early(self, id)
  if self.sending == 0 or self.early[id] then return end
  local slot = self.early_count % EARLY + 1
  local old = self.early_order[slot]
  if old then self.early[old] = nil end
  self.early[id], self.early_order[slot], self.early_count = true, id, self.early_count + 1
end

local function forget_if_idle(self, conversation, now)
  if conversation.queue:is_empty() and conversation:delay(now) == 0 then
    self.conversations:remove(conversation.to)
  end
end

local function record(self, event)
  -- a status with a type is about a payment or a call, not about a message
  if event.kind ~= "status" or event.type or not event.id or not FINAL[event.status] then return end
  local conversation = self.awaited[event.id]
  if not conversation then return remember_early(self, event.id) end
  stop_awaiting(conversation)
  local now = clock()
  conversation.queue:notify(now)
  forget_if_idle(self, conversation, now)
end

--- Ends the waiting of all calls.
function Ordering:close()
  for _, conversation in pairs(self.conversations.objects) do conversation.queue:close() end
end

-- One message -------------------------------------------------------------------------------------

---@class waba.OrderedSlot
local Slot = {}
Slot.__index = Slot

--- Returns the slot of a message to the recipient `to`. `Slot:wait` waits until the message may be sent. A call may
--- exceed its deadline by `spare` seconds.
function Ordering:slot(to, ordered, spare)
  local slot = setmetatable({ ordering = self, to = to, spare = spare + GRACE, awaits = false }, Slot)
  if type(ordered) == "table" then
    for _, source in pairs { ordered.receiver, ordered.tracker } do
      if not self.watched[source] then source:watch(function(event) record(self, event) end) end
      self.watched[source], slot.awaits = true, true
    end
    slot.timeout = ordered.timeout or DELIVERED_TIMEOUT
  end
  return slot
end

--- Waits until all previous messages to the recipient are finished, and takes the slot. If this slot was taken before,
--- only extends its time to `deadline`. Returns the time after the wait, or nil and an error.
function Slot:wait(transport, now, deadline)
  local conversation = self.conversation
  if not conversation then
    conversation = self.ordering.conversations:get(self.to, now)
    if not conversation.queue:try(now) then
      now = conversation.queue:wait(transport, now, deadline)
      if not now then
        local awaited = conversation.awaited and "delivered" or "accepted"
        forget_if_idle(self.ordering, conversation, clock())
        return nil, errors.new {
          kind = "timeout", retryable = true, scope = "order",
          message = "the timeout passed before the previous message to this recipient was " .. awaited,
        }
      end
    end
    self.waiter = waiters.of(transport)
    self.conversation, conversation.holder = conversation, self
    self.ordering.sending = self.ordering.sending + 1
  end
  self.lost_at = deadline + self.spare
  return now
end

--- Ends the slot of a message that was sent or has failed. The next message may be sent at once, except if this message
--- was sent and the option `ordered` names a source of statuses: then the next message waits until this message is
--- delivered. `coroutines.ensure` calls this method.
function Slot:finish(ok, sent)
  local conversation, order = self.conversation, self.ordering
  if not conversation then return end
  self.conversation = nil
  order.sending = order.sending - 1
  if conversation.holder ~= self then return end -- another message has taken the slot meanwhile
  conversation.holder = nil
  local now = clock()
  if ok and sent and sent.id and self.awaits and not order.early[sent.id] then
    conversation.awaited, conversation.awaited_until = sent.id, now + self.timeout
    order.awaited[sent.id] = conversation
  end
  if order.sending == 0 and order.early_count > 0 then order.early, order.early_order, order.early_count = {}, {}, 0 end
  conversation.queue:notify(now)
  forget_if_idle(order, conversation, now)
end

return ordering
