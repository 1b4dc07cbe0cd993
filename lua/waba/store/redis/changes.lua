-- The method `settle` of a Redis store, which changes taken entries.

local records = require "waba.store.redis.records"
local script = require "waba.store.redis.script"

local changes = {}

--- Lua code of scripts. `advance` removes the first item of a queue, and makes the next item due. `make_dead` moves
--- the first item of a queue to the dead letters. A script calls `finish` at its end.
changes.ADVANCE = [[
local removed = 0
local function advance(queue, is_tried, name)
  local item = call("LPOP", queue_key(queue))
  removed = removed + 1
  if is_tried then
    for _, name_of_hash in ipairs { "tries", "why", "marked" } do call("HDEL", key(name_of_hash), queue) end
  end
  if name ~= "" then call("HDEL", key "ids", name) end
  local next_item = call("LINDEX", queue_key(queue), 0)
  if next_item then call("ZADD", due_of(queue), id_of(next_item), queue) end
  return item
end

local function make_dead(queue, tries, reason)
  local item = call("LINDEX", queue_key(queue), 0)
  local id, name, body = string.match(item, "^(%d+) ([^\n]*)\n(.*)$")
  advance(queue, true, name)
  call("HSET", key "dead", id, cjson.encode { queue, tries, reason, now / 1e6, name } .. "\n" .. body)
  call("ZADD", key "dead:at", now, id)
  if name ~= "" then call("HSET", key "ids", name, "dead " .. id) end
end

local function finish()
  if removed > 0 then call("DECRBY", key "depth", removed) end
end
]]

--- The script changes entries. Returns "" if all leases are valid, else a text with a digit for each change: 1 if the
--- lease of the change is valid, else 0. The first argument is the number of changes, and the last arguments are the
--- records. Each change has seven arguments:
--- - the kind of the change, with "!" at its end if the entry keeps a mark
--- - the token of the lease, the queue, and the number of the attempt
--- - the first line of the item: its id, a space and its name
--- - the seconds of the change, or the ids of the items in `following`, or ""
--- - the reason of the change or the new body, or ""
changes.SETTLE = script.HEAD .. changes.ADVANCE .. records.WRITE .. [[
local function remove_lost(queue, id, name)
  local item = call("LINDEX", queue_key(queue), 0)
  if item and id_of(item) == id then
    if call("ZREM", due_of(queue), queue) == 0 then
      for _, member in ipairs(call("ZRANGE", key "held", 0, -1)) do
        if string.match(member, "^%S+ (.*)$") == queue then call("ZREM", key "held", member) end
      end
    end
    advance(queue, true, name)
    call("HDEL", key "later", queue)
    return true
  end
end

local function defer(queue, id, name, seconds, body)
  local place = "later:" .. id
  advance(queue, true, name)
  removed = removed - 1
  call("HSET", key "later", place, queue)
  call("RPUSH", queue_key(place), id .. " " .. name .. "\n" .. body)
  call("ZADD", due_of(place), whole(now + seconds * 1e6), place)
  if name ~= "" then call("HSET", key "ids", name, place) end
end

-- Removes the items with the ids `ids` from the start of a queue. With a reason, makes the items dead letters.
local function end_following(queue, ids, attempt, reason)
  for id in string.gmatch(ids, "%d+") do
    local item = call("LINDEX", queue_key(queue), 0)
    if item and id_of(item) == id then
      if reason then make_dead(queue, attempt, reason) else advance(queue, false, "") end
    end
  end
  if call("EXISTS", queue_key(queue)) == 0 then call("ZREM", due_of(queue), queue) end
end

local reply, made, position = {}, {}, 2
for number = 1, tonumber(ARGV[1]) do
  local what, token, queue, attempt, head, seconds, reason = unpack(ARGV, position, position + 6)
  local member, id, name, mark = token .. " " .. queue, string.match(head, "^(%d+) (.*)$")
  what, mark = string.match(what, "^(%l+)(!?)$")
  if what == "extend" then
    -- the script runs again after a lost reply, and then the lease has the new mark; ZREM is before ZADD, because the
    -- first write of a script must not need memory
    local lease = string.match(token, "^[^!]*")
    reply[number] = call("ZREM", key "held", lease .. " " .. queue, lease .. "! " .. queue)
    if reply[number] == 1 then
      call("ZADD", key "held", whole(now + seconds * 1e6), lease .. mark .. " " .. queue)
    end
  else
    reply[number] = call("ZREM", key "held", member)
    if reply[number] == 0 then
      local is_gone = what == "always" and (remove_lost(queue, id, name) or remove_lost("later:" .. id, id, name))
      if what == "always" and not is_gone and call("HDEL", key "dead", id) == 1 then
        is_gone = call("ZREM", key "dead:at", id) == 1
      end
      if is_gone then made[number] = 1 end
    elseif what == "held" or what == "always" then
      advance(queue, attempt ~= "1", name)
      if seconds ~= "" then end_following(queue, seconds) end
    elseif what == "dead" then
      make_dead(queue, attempt, reason)
      if seconds ~= "" then end_following(queue, seconds, attempt, reason) end
    elseif what == "release" then
      if mark == "!" then call("HSET", key "marked", queue, "1") end
      call("ZADD", due_of(queue), seconds ~= "" and whole(now + seconds * 1e6) or id, queue)
    elseif what == "later" then
      defer(queue, id, name, seconds, reason)
    else
      if mark == "!" then call("HSET", key "marked", queue, "1") end
      call("HSET", key "tries", queue, attempt)
      call("HSET", key "why", queue, reason)
      call("ZADD", due_of(queue), whole(now + seconds * 1e6), queue)
    end
  end
  made[number] = made[number] or reply[number]
  position = position + 7
end
finish()
write_records(position, made)
local states = table.concat(reply)
return string.find(states, "0", 1, true) and states or ""
]]

-- Returns the kind, the seconds (or nil), and the reason or the body of a change.
local function parts_of(change)
  if change.done then return change.done end
  if change.extend then return "extend", change.extend end
  if change.later then return "later", change.later, change.body end
  if change.dead then return "dead", nil, change.reason end
  if change.release then return "release", change.delay end
  return "delay", change.delay, change.reason
end

-- Returns the token of a lease after a change. The token of a lease with a mark ends with "!".
local function token_of(change)
  if change.mark == nil then return change.lease.token end
  return change.lease.token:gsub("!$", "") .. (change.mark and "!" or "")
end

-- Returns whether an entry has a mark after a change.
local function is_marked(change)
  if change.extend then return token_of(change):sub(-1) == "!" end
  return change.lease.was_marked
end

function changes.words(self, list, more_records)
  local words, n = script.words_of(self, tostring(#list)), 5
  for index = 1, #list do
    local change = list[index]
    local lease, what, seconds, text = change.lease, parts_of(change)
    if not change.done and is_marked(change) then what = what .. "!" end
    words[n + 1], words[n + 2], words[n + 3] = what, lease.token, lease.queue
    words[n + 4] = lease.attempts == 1 and "1" or ("%d"):format(lease.attempts)
    words[n + 5], words[n + 6], words[n + 7] = lease.head, seconds and ("%.6f"):format(seconds) or "", text or ""
    if change.following then
      local ids = {}
      for at, other in ipairs(change.following) do ids[at] = other.id end
      words[n + 6] = table.concat(ids, " ")
    end
    n = n + 7
  end
  for index = 1, #list do records.add(words, list[index].records, index, list[index].done == "always") end
  records.add(words, more_records)
  return words
end

--- Reads the reply of SETTLE, and sets the field `lost` of each change. Returns the number of valid leases.
function changes.mark_lost(list, reply)
  local held = 0
  for index, change in ipairs(list) do
    change.lost = reply ~= "" and reply:sub(index, index) == "0"
    if not change.lost then
      held = held + 1
      if change.mark ~= nil then change.lease.token = token_of(change) end
    end
  end
  return held
end

function changes:settle(list, more_records)
  if #list == 0 and not more_records then return 0 end
  local reply, err = script.run(self, changes.SETTLE, changes.words(self, list, more_records))
  if not reply then return nil, err end
  return changes.mark_lost(list, reply)
end

return changes
