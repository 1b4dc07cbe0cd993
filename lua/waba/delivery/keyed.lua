-- A table of objects by key. The method `get` makes missing objects. When the number of objects has doubled since the
-- last search for idle objects, `get` searches again and removes idle objects. The more objects there are, the rarer
-- are the searches, so a search takes little time per call of `get`.

---@class waba.Keyed
---@field objects table<any, table>
local Keyed = { __name = "waba.Keyed" }
Keyed.__index = Keyed

local keyed = {}

local FEW = 256 -- the number of objects below which `get` never searches for idle objects

---@param make fun(key: any, now: number): table
---@param is_idle fun(object: table, now: number): boolean  true if the object has the state of a new object
---@return waba.Keyed
function keyed.new(make, is_idle)
  return setmetatable({ objects = {}, count = 0, limit = FEW, make = make, is_idle = is_idle }, Keyed)
end

function Keyed:sweep(now)
  for key, object in pairs(self.objects) do
    if self.is_idle(object, now) then self:remove(key) end
  end
  self.limit = math.max(FEW, 2 * self.count)
end

--- Returns the object of a key. Makes a missing object.
function Keyed:get(key, now)
  local object = self.objects[key]
  if object then return object end
  if self.count >= self.limit then self:sweep(now) end
  object = self.make(key, now)
  self.objects[key], self.count = object, self.count + 1
  return object
end

function Keyed:remove(key)
  if self.objects[key] == nil then return end
  self.objects[key], self.count = nil, self.count - 1
end

return keyed
