-- Which names mean the same customer: a phone number and a business-scoped user id that came together, an old number and
-- the new one. One of them is the root, and names the customer's conversation; the others lead to it. redis_scripts.lua
-- has the same steps as a script.

local customers = {}

--- Seconds for which names that came together are known, after one of them has come last. The platform leaves a phone
--- number out after 30 days without contact.
customers.REMEMBER = 90 * 86400

-- More steps than this lead to no root.
local STEPS = 16

--- What a store has to do.
---@class waba.CustomerStore
---@field next fun(name: string): string|nil          the name that a name leads to
---@field remember fun(name: string, root: string)
---@field is_begun fun(root: string): boolean         the first event of the conversation was taken before
---@field merge fun(from: string, to: string)         what waits in one conversation goes behind what waits in another;
---                                                   an event that was taken before stays where it is

local function root_of(store, name)
  for _ = 1, STEPS do
    local next_name = store.next(name)
    if not next_name then break end
    name = next_name
  end
  return name
end

-- Of several conversations that turn out to be one, the one whose first event is handled now or waits for another try;
-- else the one that is known by several names.
local function choose(store, names, roots)
  for _, root in ipairs(roots) do
    if store.is_begun(root) then return root end
  end
  for index, root in ipairs(roots) do
    if root ~= names[index] then return root end
  end
  return roots[1]
end

--- The root of a customer's names. What they lead to is one conversation from now on.
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
