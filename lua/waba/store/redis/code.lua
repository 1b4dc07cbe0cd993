-- Lua code that several scripts contain. script.lua describes the keys of a store.

local names = require "waba.store.names"

local code = {}

--- The first lines of every script.
code.HEAD = [[
local prefix = KEYS[1] .. ":"
local function key(name) return prefix .. name end
local function queue_key(queue) return prefix .. "q:" .. queue end
local call = redis.call
local time = call("TIME")
local now = time[1] * 1e6 + time[2]
local function whole(number)
  if number < 2^51 then return string.format("%d%06d", math.floor(number / 1e6), number % 1e6) end
  return string.format("%.0f", number)
end
local function due_of(queue) return key(string.sub(queue, 1, 5) == "bulk:" and "due:bulk" or "due") end
local function id_of(item) return string.match(item, "^%d+") end
]]

--- Appends items. After its last call of `append`, a script calls `write_due`. The function `write_due` adds the queues
--- with a new first item to the sorted sets `due` and `due:bulk`.
code.APPEND = [[
local first_items = {}
local function append(queue, item, id)
  if call("RPUSH", queue_key(queue), item) > 1 then return end
  local set = due_of(queue)
  local list = first_items[set] or {}
  first_items[set] = list
  list[#list + 1] = id
  list[#list + 1] = queue
end

local function write_due()
  for set, list in pairs(first_items) do
    for from = 1, #list, 2000 do call("ZADD", set, unpack(list, from, math.min(from + 1999, #list))) end
  end
  first_items = {}
end
]]

--- Removes items. `advance` removes the first item of a queue, and makes the next item due. `make_dead` moves the first
--- item of a queue to the dead letters. Both are variables that the script declares. The script also declares `growth`,
--- and adds the number of new items to it.
code.ADVANCE = [[
function advance(queue, is_tried, name)
  local item = call("LPOP", queue_key(queue))
  growth = growth - 1
  if is_tried then
    for _, name_of_hash in ipairs { "tries", "why", "marked" } do call("HDEL", key(name_of_hash), queue) end
  end
  if name ~= "" then call("HDEL", key "ids", name) end
  local next_item = call("LINDEX", queue_key(queue), "0")
  if next_item then call("ZADD", due_of(queue), id_of(next_item) or whole(now), queue) end
  return item
end

function make_dead(queue, tries, reason)
  local item = call("LINDEX", queue_key(queue), "0")
  local id, name, body = string.match(item, "^(%d+) ([^\n]*)\n(.*)$")
  advance(queue, true, name)
  call("HSET", key "dead", id, cjson.encode { queue, tries, reason, now / 1e6, name } .. "\n" .. body)
  call("ZADD", key "dead:at", whole(now), id)
  if name ~= "" then call("HSET", key "ids", name, "dead " .. id) end
end
]]

--- The end of a script that adds or removes items.
code.FINISH = [[
if growth ~= 0 then call("INCRBY", key "depth", string.format("%d", growth)) end
]]

--- Finds conversations by names. The function `name_store` returns the `waba.NameStore` of a Redis store. The name of a
--- queue consists of the lane and the root of its conversation.
code.NAMES = names.CODE .. [[
local function is_begun(queue)
  return call("HEXISTS", key "tries", queue) == 1
    or call("EXISTS", queue_key(queue)) == 1 and not call("ZSCORE", due_of(queue), queue)
end

-- Removes and returns the items of a queue, except a first item that was taken before.
local function take_waiting(queue)
  local first = is_begun(queue) and 1 or 0
  local items = call("LRANGE", queue_key(queue), first, -1)
  if first == 1 then
    call("LTRIM", queue_key(queue), 0, 0)
  elseif #items > 0 then
    call("DEL", queue_key(queue))
    call("ZREM", due_of(queue), queue)
  end
  return items
end

local function merge(from, to)
  write_due()
  local items = take_waiting(from)
  if #items == 0 then return end
  for _, item in ipairs(take_waiting(to)) do items[#items + 1] = item end
  table.sort(items, function(a, b) return tonumber(id_of(a) or 0) < tonumber(id_of(b) or 0) end)
  for _, item in ipairs(items) do append(to, item, id_of(item) or whole(now)) end
end

local function name_store(remember, lanes)
  local store = {}
  function store.next(name) return call("GET", key("name:" .. name)) end
  function store.remember(name, root) call("SET", key("name:" .. name), root, "PX", remember) end
  function store.is_begun(root)
    write_due()
    for _, lane in ipairs(lanes) do
      if is_begun(lane .. root) then return true end
    end
    return false
  end
  function store.merge(from, to)
    for _, lane in ipairs(lanes) do merge(lane .. from, lane .. to) end
  end
  return store
end
]]

--- Writes records: `write_records(from, to, made)` writes the records in the arguments ARGV[from] to ARGV[to]. A record
--- has four arguments:
--- - the name, without the prefix of the store
--- - the value
--- - the lifetime in milliseconds; "" sets no limit, and "0" removes the record. If the lifetime begins with "+", the
---   record is written only if the value is greater than the present value. If the lifetime begins with "#", the value
---   is added to the number in the record
--- - the index of a change in `made`, or "". The record is written only if `made` has 1 at this index
code.RECORDS = [[
local function write_records(from, to, made)
  for index = from, to, 4 do
    local name, value, milliseconds, change = key(ARGV[index]), unpack(ARGV, index + 1, index + 3)
    local is_due = change == "" or made[tonumber(change)] == 1
    if is_due and string.sub(milliseconds, 1, 1) == "+" then
      milliseconds = string.sub(milliseconds, 2)
      local present = call("GET", name)
      is_due = not present or value > present
    end
    if not is_due then
      name = nil
    elseif string.sub(milliseconds, 1, 1) == "#" then
      call("INCRBY", name, value)
      if milliseconds ~= "#" then call("PEXPIRE", name, string.sub(milliseconds, 2)) end
    elseif milliseconds == "0" then
      call("DEL", name)
    elseif milliseconds == "" then
      call("SET", name, value)
    else
      call("SET", name, value, "PX", milliseconds)
    end
  end
end
]]

--- `next_due` returns the seconds until an entry can be taken, or "" if no entry waits.
code.NEXT_DUE = [[
local function next_due()
  local earliest
  for _, set in ipairs { "due", "due:bulk", "held" } do
    local due = tonumber(call("ZRANGE", key(set), "0", "0", "WITHSCORES")[2])
    if due and (not earliest or due < earliest) then earliest = due end
  end
  return earliest and string.format("%.6f", math.max(0, earliest - now) / 1e6) or ""
end
]]

return code
