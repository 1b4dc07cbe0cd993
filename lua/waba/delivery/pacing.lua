-- How fast one key may go: a bucket for each class of request, one for each recipient where the hosting has
-- such a rate, and the lines before them. What the gateway says of its own limits pauses them.

local gates = require "waba.delivery.gates"
local keyed = require "waba.delivery.keyed"
local lines = require "waba.delivery.line"

---@class waba.Pace
---@field has_pairs boolean  whether any recipient has to be asked for
local Pace = {}
Pace.__index = Pace
Pace.__name = "waba.Pace"

local pacing = {}

local function is_idle(line, now)
  return line:is_empty() and line.gate:is_full(now)
end

---@param rates waba.PaceOptions  what has no rate has no limit
---@param identity? string         what tells keys apart, without showing one: who has the same keeps the rates together
---@return waba.Pace
function pacing.new(rates, identity)
  local shared = gates.of(identity, rates)
  local self = setmetatable({
    gates = shared, lines = {}, has_pairs = rates.pair and true or false, pair_rate = rates.pair,
  }, Pace)
  for _, class in ipairs(gates.CLASSES) do self.lines[class] = lines.new(shared:class(class)) end
  self.pairs = keyed.new(function(to, now) return lines.new(shared:pair(to, now)) end, is_idle)
  return self
end

--- The line of a class of requests.
---@param class string|nil
---@return waba.Line
function Pace:line(class)
  return self.lines[class or "other"] or self.lines.other
end

--- The line of a recipient: nil when there is nothing to wait for.
---@param to string
---@param now number
---@return waba.Line|nil
function Pace:pair(to, now)
  if self.pair_rate then return self.pairs:get(to, now) end
  return self.pairs:find(to)
end

local function pause(line, moment)
  line.gate:pause(moment)
  line:notify_hopeless(moment)
end

--- Lets nobody go before a moment: the gateway said that this key is too fast.
---@param moment number
function Pace:pause(moment)
  for _, line in pairs(self.lines) do pause(line, moment) end
end

--- Lets nothing go to one recipient before a moment.
---@param to string
---@param moment number
---@param now number
function Pace:pause_pair(to, moment, now)
  self.has_pairs = true
  pause(self.pairs:get(to, now), moment)
end

--- Sends everybody away who waits.
function Pace:close()
  if self.gates then self.gates:leave() end
  self.gates = nil
  for _, line in pairs(self.lines) do line:close() end
  for _, line in pairs(self.pairs.things) do line:close() end
end

return pacing
