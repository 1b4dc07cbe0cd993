-- Finds the conversation of several names, such as a customer's phone number and user id. One name of a conversation is
-- its root. A store keeps the entries of a conversation under the root, and the other names refer to the root. The
-- algorithm is a string of Lua code, because the scripts of redis/conversations.lua contain this string.

local names = {}

--- The number of seconds for which a store records that a name refers to its root, after the last use of the name.
names.REMEMBER = 90 * 86400

--- The functions that a backend provides to `names.join`.
---@class waba.NameStore
---@field next fun(name: string): string|nil        returns the name to which `name` refers
---@field remember fun(name: string, root: string)  records that `name` refers to `root`
---@field is_begun fun(root: string): boolean       returns whether the first entry of a conversation was taken before
---@field merge fun(from: string, to: string)       moves the entries of one root to another root, except
---        a first entry that was taken

--- The code of the functions `root_of(store, name)` and `join(store, list)`.
names.CODE = [[
local STEPS = 16 -- the largest number of references between a name and its root

local function root_of(store, name)
  for _ = 1, STEPS do
    local next_name = store.next(name)
    if not next_name then break end
    name = next_name
  end
  return name
end

-- Chooses the root of conversations that become one. The first choice is a conversation whose first entry was taken
-- before, the second choice a conversation with several names.
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
  if not list[2] then
    local root = root_of(store, list[1])
    if root ~= list[1] then store.remember(list[1], root) end
    return root
  end
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

--- Joins the conversations of several names if the names have different roots. Returns the common root.
---@type fun(store: waba.NameStore, list: string[]): string|nil
names.join = assert((loadstring or load)(names.CODE .. "return join", "=waba.store.names"))()

return names
