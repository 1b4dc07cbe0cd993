-- A binary heap of items, ordered by the time in their field `listed`: the first item always has the earliest time.
-- Each item has its index in the field `place`, so that the item can be moved and removed.

local heap = {}

local function parent_of(place) return (place - place % 2) / 2 end

-- Moves an item from the index `place` towards the first item.
local function rise(items, item, place)
  while place > 1 do
    local parent = parent_of(place)
    local above = items[parent]
    if above.listed <= item.listed then break end
    items[place], above.place = above, place
    place = parent
  end
  items[place], item.place = item, place
end

-- Moves an item from the index `place` towards the last items.
local function sink(items, item, place)
  local count = #items
  while 2 * place <= count do
    local child = 2 * place
    if child < count and items[child + 1].listed < items[child].listed then child = child + 1 end
    local below = items[child]
    if item.listed <= below.listed then break end
    items[place], below.place = below, place
    place = child
  end
  items[place], item.place = item, place
end

--- Adds an item, or moves the item if the heap contains it.
---@param items table[]
---@param item { listed: number?, place: integer? }
---@param time number
function heap.put(items, item, time)
  local place = item.place
  local is_later = place and time > item.listed
  item.listed = time
  if is_later then sink(items, item, place) else rise(items, item, place or #items + 1) end
end

function heap.remove(items, item)
  local place, last = item.place, items[#items]
  items[#items], item.place = nil, nil
  if last == item then return end
  if place > 1 and last.listed < items[parent_of(place)].listed then
    rise(items, last, place)
  else
    sink(items, last, place)
  end
end

return heap
