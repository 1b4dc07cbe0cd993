-- Several names can identify the same conversation, such as a customer's phone number and user id. One of the names is
-- the root: entries of the conversation are stored under the root, and the other names refer to it. The algorithm is Lua
-- code in a string, because the scripts of redis/conversations.lua contain it.

local names = {}

--- Seconds for which names are recorded after the last entry with one of them.
names.REMEMBER = 90 * 86400

--- The functions that a backend provides.
---@class waba.NameStore
---@field next fun(name: string): string|nil          returns the name to which `name` refers
---@field remember fun(name: string, root: string)    stores that `name` refers to `root`
---@field is_begun fun(root: string): boolean         returns whether the first entry of the conversation was taken
---        before
---@field merge fun(from: string, to: string)         moves the waiting entries of one conversation to another; an entry
---                                                   that was taken before is not moved

--- The functions `root_of(store, name)` and `join(store, list)`.
names.CODE = [[
-- The largest number of references between a name and its root.
local STEPS = 16

local function root_of(store, name)
  for _ = 1, STEPS do
    local next_name = store.next(name)
    if not next_name then break end
    name = next_name
  end
  return name
end

-- Chooses the root when several conversations become one: the root of the conversation whose first entry was taken
-- before, else the root of a conversation that has several names.
local function choose(store, list, roots)
  for _, root in ipairs(roots) do
    if store.is_begun(root) then return root end
  end
  for index, root in ipairs(roots) do
    if root ~= list[index] then return root end
  end
  return roots[1]
end

local function join(store, list)
  local roots, is_one = {}, true
  for index, name in ipairs(list) do
    roots[index] = root_of(store, name)
    is_one = is_one and roots[index] == roots[1]
  end
  local chosen = is_one and roots[1] or choose(store, list, roots)
  for index, root in ipairs(roots) do
    if root ~= chosen then
      store.merge(root, chosen)
      store.remember(root, chosen)
    end
    if list[index] ~= chosen then store.remember(list[index], chosen) end
  end
  return chosen
end
]]

--- Returns the root of several names. If the names had several roots, joins their conversations.
---@type fun(store: waba.NameStore, list: string[]): string|nil
names.join = assert((loadstring or load)(names.CODE .. "return join", "=waba.store.names"))() -- luacheck: ignore 113

return names
