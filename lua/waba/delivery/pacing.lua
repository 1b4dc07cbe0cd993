-- The rate limits of one API key: a token bucket for each class of requests, and one for each recipient if the hosting
-- limits messages to one recipient. All clients of a key in this process share its buckets, so that two clients are not
-- faster than one; each client has its own queues. A pause that the gateway demands applies to all queues of the
-- client. All objects are made at their first use, because a program may have thousands of clients. With a store
-- (waba.pace), other processes share the buckets too.

local buckets = require "waba.delivery.bucket"
local keyed = require "waba.delivery.keyed"
local queues = require "waba.delivery.queue"

local CLASSES = { "messages", "other", "media" }

-- The buckets of a key ----------------------------------------------------------------------------

-- The limiters in use, by identity and rates, until the last client of the key is closed or collected.
local in_use = setmetatable({}, { __mode = "v" })

-- The rates as text. The text is a field of the rates, because the garbage collector would traverse a weak table
-- with an entry for each client.
local function text_of(rates)
  local text = rates.text
  if text then return text end
  text = ""
  for _, class in ipairs { "messages", "other", "media", "pair" } do
    local rate = rates[class]
    text = text .. (rate and (" %.17g/%.17g"):format(rate.rate, rate.burst) or " -")
  end
  if rates.store then text = text .. " " .. tostring(rates.store) end
  rates.text = text
  return text
end

-- The rates by their text: clients with equal rates share one table.
local known_rates = setmetatable({}, { __mode = "v" })

local function join(identity, rates)
  local text = text_of(rates)
  rates = known_rates[text] or rates
  known_rates[text] = rates
  local name = identity and identity .. text
  local found = name and in_use[name]
  if not found then
    -- other fields: the buckets, by class; pairs: the buckets of recipients; users: the number of open clients
    found = { rates = rates, name = name, users = 0 }
    if rates.store then found.shared = rates.store:limiters(identity, rates) end
    if name then in_use[name] = found end
  end
  found.users = found.users + 1
  return found
end

local function leave(limiters)
  limiters.users = limiters.users - 1
  if limiters.users == 0 and limiters.name then in_use[limiters.name] = nil end
end

local function is_full(bucket, now) return bucket:is_full(now) end

-- One client --------------------------------------------------------------------------------------

-- Each queue of a client is a field whose name is the class. A separate table for the queues would be one more object
-- for each of many clients.

---@class waba.Pace
---@field has_pairs boolean  true: messages to one recipient may have to wait, for a rate limit or a pause of this
---        recipient
local Pace = {}
Pace.__index = Pace
Pace.__name = "waba.Pace"

local pacing = {}

---@param rates waba.PaceOptions  a class without a rate has no limit
---@param identity? string        a hash of the API key; clients with the same hash share the buckets
---@return waba.Pace
function pacing.new(rates, identity)
  local has_pairs = rates.pair and true or rates.store ~= nil
  return setmetatable({ limiters = join(identity, rates), has_pairs = has_pairs }, Pace)
end

--- Returns the queue of a class of requests.
---@param class string|nil
---@return waba.Queue
function Pace:queue(class)
  if class ~= "messages" and class ~= "media" then class = "other" end
  local found = self[class]
  if found then return found end
  local limiters = self.limiters
  limiters[class] = limiters[class] or limiters.shared and limiters.shared:bucket(class)
    or buckets.new(limiters.rates[class])
  found = queues.new(limiters[class])
  if self.is_closed then found:close() end
  self[class] = found
  return found
end

local function is_idle(queue, now)
  return queue:is_empty() and queue.limiter:is_full(now)
end

local function queues_of_pairs(self)
  if self.pairs then return self.pairs end
  local limiters = self.limiters
  limiters.pairs = limiters.pairs or keyed.new(function(to)
    return limiters.shared and limiters.shared:pair(to) or buckets.new(limiters.rates.pair)
  end, is_full)
  self.pairs = keyed.new(function(to, now) return queues.new(limiters.pairs:get(to, now)) end, is_idle)
  return self.pairs
end

--- Returns the queue of a recipient; nil if the recipient has no limit and no pause. May wait for the store.
---@param to string
---@param now number
---@param is_bulk? boolean
---@return waba.Queue|nil
function Pace:pair(to, now, is_bulk)
  local list, limiters = queues_of_pairs(self), self.limiters
  local shared = limiters.shared
  if shared then shared:freshen(self:queue("messages").limiter, now, is_bulk) end
  if limiters.rates.pair or shared and shared:has_pauses(now) then return list:get(to, now) end
  return list:find(to)
end

local function pause(queue, moment)
  queue.limiter:pause(moment)
  queue:notify_late(moment)
end

--- Sends nothing with the key before `moment`, because the gateway has reported too many requests.
---@param moment number
function Pace:pause(moment)
  for _, class in ipairs(CLASSES) do pause(self:queue(class), moment) end
  if self.limiters.shared then self.limiters.shared:pause(moment) end
end

--- Sends nothing to one recipient before `moment`.
---@param to string
---@param moment number
---@param now number
function Pace:pause_pair(to, moment, now)
  self.has_pairs = true
  local queue = queues_of_pairs(self):get(to, now)
  pause(queue, moment)
  if self.limiters.shared then self.limiters.shared:pause_pair(queue.limiter, moment) end
end

--- Ends the waiting of all calls, for example when the client is closed.
function Pace:close()
  if self.is_closed then return end
  self.is_closed = true
  leave(self.limiters)
  for _, class in ipairs(CLASSES) do
    if self[class] then self[class]:close() end
  end
  for _, queue in pairs(self.pairs and self.pairs.objects or {}) do queue:close() end
end

return pacing
