-- A table of objects by key. An object is made when `get` is first called with its key, and removed when it is idle.
-- The search for idle objects is cheap on average, because it happens only when the number of objects has doubled.

---@class waba.Keyed
---@field count integer
local Keyed = {}
Keyed.__index = Keyed
Keyed.__name = "waba.Keyed"

local keyed = {}

-- With fewer objects than this, there is no search for idle objects.
local FEW = 256

---@param make fun(key: any, now: number): table
---@param is_idle fun(object: table, now: number): boolean  returns true if the object is idle: it has the same state as
---        a new object
---@return waba.Keyed
function keyed.new(make, is_idle)
  return setmetatable({ objects = {}, count = 0, limit = FEW, make = make, is_idle = is_idle }, Keyed)
end

--- Removes the idle objects.
---@param now number
function Keyed:sweep(now)
  for key, object in pairs(self.objects) do
    if self.is_idle(object, now) then self:remove(key) end
  end
  self.limit = math.max(FEW, 2 * self.count)
end

--- Returns the object of a key if there is one.
---@param key any
---@return table|nil
function Keyed:find(key)
  return self.objects[key]
end

--- Returns the object of a key; creates a missing one.
---@param key any
---@param now number
---@return table
function Keyed:get(key, now)
  local object = self.objects[key]
  if object then return object end
  if self.count >= self.limit then self:sweep(now) end
  object = self.make(key, now)
  self.objects[key], self.count = object, self.count + 1
  return object
end

---@param key any
function Keyed:remove(key)
  if self.objects[key] == nil then return end
  self.objects[key], self.count = nil, self.count - 1
end

return keyed
