-- Records which names identify the same customer: a phone number and a business-scoped user id of one event, an old number
-- and the new one. One of them is the root, which names the customer's conversation; the others refer to it.
-- redis_scripts.lua has the same algorithm as a script.

local customers = {}

--- Seconds for which names are recorded after the last event with one of them. The platform omits a phone number after 30
--- days without contact.
customers.REMEMBER = 90 * 86400

-- Names between a name and its root at most.
local STEPS = 16

--- The functions that a store provides.
---@class waba.CustomerStore
---@field next fun(name: string): string|nil          returns the name that a name refers to
---@field remember fun(name: string, root: string)    lets a name refer to a root
---@field is_begun fun(root: string): boolean         whether the first event of the conversation was taken before
---@field merge fun(from: string, to: string)         appends the waiting events of one conversation to another; an event
---                                                   that was taken before stays where it is

local function root_of(store, name)
  for _ = 1, STEPS do
    local next_name = store.next(name)
    if not next_name then break end
    name = next_name
  end
  return name
end

-- Chooses the root when several conversations become one: the conversation whose first event was taken before, else one
-- that has several names.
local function choose(store, names, roots)
  for _, root in ipairs(roots) do
    if store.is_begun(root) then return root end
  end
  for index, root in ipairs(roots) do
    if root ~= names[index] then return root end
  end
  return roots[1]
end

--- Returns the root of a customer's names. Joins their conversations if they had several roots.
---@param store waba.CustomerStore
---@param names string[]
---@return string|nil root  nil without names
function customers.join(store, names)
  local roots, is_one = {}, true
  for index, name in ipairs(names) do
    roots[index] = root_of(store, name)
    is_one = is_one and roots[index] == roots[1]
  end
  local chosen = is_one and roots[1] or choose(store, names, roots)
  for index, root in ipairs(roots) do
    if root ~= chosen then
      store.merge(root, chosen)
      store.remember(root, chosen)
    end
    if names[index] ~= chosen then store.remember(names[index], chosen) end
  end
  return chosen
end

return customers
