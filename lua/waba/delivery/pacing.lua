-- The rate limits of one API key: a token bucket for each class of requests. If the hosting limits messages to one
-- recipient, each recipient has a token bucket too. All clients of a key in this process share the buckets of the key,
-- so that two clients are not faster than one client. With a store (`waba.pace`), other processes share the buckets
-- too. Each client has its own queues. All objects are made at their first use, because a program can have thousands of
-- clients.

local buckets = require "waba.delivery.bucket"
local keyed = require "waba.delivery.keyed"
local queues = require "waba.delivery.queue"

local CLASSES = { "messages", "other", "media" }

-- The limiters in use, by the identity of the key and the text of the rates. An entry exists until the last client of
-- the key is closed or collected.
local in_use = setmetatable({}, { __mode = "v" })

-- Returns the rates as text, and stores the text in the field `text` of the rates. A weak table of texts would be slow,
-- because the table would have an entry for each client, and the garbage collector would traverse all entries.
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

-- The tables of rates by their text, so that clients with equal rates share one table.
local known_rates = setmetatable({}, { __mode = "v" })

local function join(identity, rates)
  local text = text_of(rates)
  rates = known_rates[text] or rates
  known_rates[text] = rates
  local name = identity and identity .. text
  local found = name and in_use[name]
  if not found then
    -- `users` is the number of open clients. Fields that are set later: the bucket of each class, and `pairs`, the
    -- buckets of recipients.
    found = { rates = rates, name = name, users = 0 }
    if rates.store then found.shared = rates.store:limiters(identity, rates) end
    if name then in_use[name] = found end
  end
  found.users = found.users + 1
  return found
end

-- Each queue is a field of the object, and the name of the field is the class of the requests. A separate table for the
-- queues would be one more object for each client.

---@class waba.Pace
---@field has_pairs boolean  true: a recipient can have a rate limit or a pause
local Pace = { __name = "waba.Pace" }
Pace.__index = Pace

local pacing = {}

---@param rates waba.PaceOptions  a class without a rate has no limit
---@param identity? string  a hash of the API key; clients with equal hashes share the buckets
function pacing.new(rates, identity)
  local has_pairs = rates.pair and true or rates.store ~= nil
  return setmetatable({ limiters = join(identity, rates), has_pairs = has_pairs }, Pace)
end

--- Returns the queue of a class of requests.
---@param class string|nil  any other value than "messages" and "media" means "other"
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

local function queues_of_pairs(self)
  if self.pairs then return self.pairs end
  local limiters = self.limiters
  limiters.pairs = limiters.pairs or keyed.new(function(to)
    return limiters.shared and limiters.shared:pair(to) or buckets.new(limiters.rates.pair)
  end, function(bucket, now) return bucket:is_full(now) end)
  self.pairs = keyed.new(function(to, now)
    return queues.new(limiters.pairs:get(to, now))
  end, function(queue, now) return queue:is_empty() and queue.limiter:is_full(now) end)
  return self.pairs
end

--- Returns the queue of a recipient, or nil if the recipient has no limit and no pause. May wait for the store.
function Pace:pair(to, now, is_bulk)
  local list, limiters = queues_of_pairs(self), self.limiters
  local shared = limiters.shared
  if shared then shared:freshen(self:queue("messages").limiter, now, is_bulk) end
  if limiters.rates.pair or shared and shared:has_pauses(now) then return list:get(to, now) end
  return list.objects[to]
end

local function pause(queue, moment)
  queue.limiter:pause(moment)
  queue:notify_late(moment)
end

--- Pauses all classes of requests until the time `moment`, because the gateway has reported too many requests.
function Pace:pause(moment)
  for _, class in ipairs(CLASSES) do pause(self:queue(class), moment) end
  if self.limiters.shared then self.limiters.shared:pause(moment) end
end

--- Pauses the messages to one recipient until the time `moment`.
function Pace:pause_pair(to, moment, now)
  self.has_pairs = true
  local queue = queues_of_pairs(self):get(to, now)
  pause(queue, moment)
  if self.limiters.shared then self.limiters.shared:pause_pair(queue.limiter, moment) end
end

--- Ends the waiting of all calls.
function Pace:close()
  if self.is_closed then return end
  self.is_closed = true
  local limiters = self.limiters
  limiters.users = limiters.users - 1
  if limiters.users == 0 and limiters.name then in_use[limiters.name] = nil end
  for _, class in ipairs(CLASSES) do
    if self[class] then self[class]:close() end
  end
  for _, queue in pairs(self.pairs and self.pairs.objects or {}) do queue:close() end
end

return pacing
