-- Things by key, made when they are first asked for and forgotten when they are idle. Looking for idle ones
-- costs little: it happens when the number of things has doubled.

---@class waba.Keyed
---@field count integer
local Keyed = {}
Keyed.__index = Keyed
Keyed.__name = "waba.Keyed"

local keyed = {}

-- So few are not worth a look.
local FEW = 256

--- A register of things.
---@param make fun(key: any, now: number): table
---@param is_idle fun(thing: table, now: number): boolean  true: it makes no difference whether it is forgotten
---@return waba.Keyed
function keyed.new(make, is_idle)
  return setmetatable({ things = {}, count = 0, limit = FEW, make = make, is_idle = is_idle }, Keyed)
end

--- Forgets what is idle.
---@param now number
function Keyed:sweep(now)
  for key, thing in pairs(self.things) do
    if self.is_idle(thing, now) then self:forget(key) end
  end
  self.limit = math.max(FEW, 2 * self.count)
end

--- What is there under a key.
---@param key any
---@return table|nil
function Keyed:find(key)
  return self.things[key]
end

--- The thing of a key.
---@param key any
---@param now number
---@return table
function Keyed:get(key, now)
  local thing = self.things[key]
  if thing then return thing end
  if self.count >= self.limit then self:sweep(now) end
  thing = self.make(key, now)
  self.things[key], self.count = thing, self.count + 1
  return thing
end

---@param key any
function Keyed:forget(key)
  if self.things[key] == nil then return end
  self.things[key], self.count = nil, self.count - 1
end

return keyed
