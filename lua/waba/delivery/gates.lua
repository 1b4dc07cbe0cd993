-- The token buckets of one key: all clients of a key in this process go through the same ones, so that two of
-- them are no faster than one. (Processes know nothing of each other.)

local buckets = require "waba.delivery.bucket"
local keyed = require "waba.delivery.keyed"

---@class waba.Gates
local Gates = {}
Gates.__index = Gates
Gates.__name = "waba.Gates"

local gates = {}

gates.CLASSES = { "messages", "other", "media" }

-- Identity and rates to what is in use: until the last client of the key is closed, or collected.
local in_use = setmetatable({}, { __mode = "v" })

local function new(rates)
  local self = setmetatable({ buckets = {}, users = 0 }, Gates)
  for _, class in ipairs(gates.CLASSES) do self.buckets[class] = buckets.new(rates[class]) end
  self.pairs = keyed.new(function() return buckets.new(rates.pair) end, function(bucket, now)
    return bucket:is_full(now)
  end)
  return self
end

local function fingerprint(identity, rates)
  local words = { identity }
  for _, class in ipairs { "messages", "other", "media", "pair" } do
    local rate = rates[class]
    words[#words + 1] = rate and ("%.17g/%.17g"):format(rate.rate, rate.burst) or "-"
  end
  return table.concat(words, " ")
end

--- The buckets of a key with these rates.
---@param identity string|nil  what tells keys apart, without showing one; nil: shared with nobody
---@param rates waba.PaceOptions
---@return waba.Gates
function gates.of(identity, rates)
  if not identity then return new(rates) end
  local name = fingerprint(identity, rates)
  local found = in_use[name]
  if not found then
    found = new(rates)
    found.name = name
    in_use[name] = found
  end
  found.users = found.users + 1
  return found
end

--- One client less goes through them.
function Gates:leave()
  self.users = self.users - 1
  if self.users == 0 and self.name then in_use[self.name] = nil end
end

--- The bucket of a class of requests.
---@param class string
---@return waba.Bucket
function Gates:class(class)
  return self.buckets[class]
end

--- The bucket of a recipient.
---@param to string
---@param now number
---@return waba.Bucket
function Gates:pair(to, now)
  return self.pairs:get(to, now)
end

return gates
