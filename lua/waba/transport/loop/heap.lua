-- A binary heap of items by their time `due`: the first entry is always the earliest.

local heap = {}

--- Adds an item. The heap stores the present `due` of the item, and ignores later changes.
function heap.push(entries, item)
  local entry = { due = item.due, item = item }
  local i = #entries + 1
  while i > 1 do
    local parent = (i - i % 2) / 2
    if entries[parent].due <= entry.due then break end
    entries[i] = entries[parent]
    i = parent
  end
  entries[i] = entry
end

--- Removes the earliest entry and returns it.
function heap.pop(entries)
  local first, last = entries[1], entries[#entries]
  entries[#entries] = nil
  local count = #entries
  local i = 1
  while count > 0 do
    local child = 2 * i
    if child > count then break end
    if child < count and entries[child + 1].due < entries[child].due then child = child + 1 end
    if last.due <= entries[child].due then break end
    entries[i] = entries[child]
    i = child
  end
  if count > 0 then entries[i] = last end
  return first
end

return heap
