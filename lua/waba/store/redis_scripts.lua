-- The operations of the Redis store as scripts. Redis runs one script at a time, and runs it completely or not at all.
-- When its memory is full, Redis refuses a script whose first write may need memory; only `put` begins with such a
-- write. Each script begins with HEAD. The comment before a script lists its arguments, from ARGV[1] on. The keys,
-- without their prefix:
--   q:<queue>     a list: the items of one lane of a conversation; the name of a queue of bulk messages begins with
--                 "bulk:". An item consists of its id (the time of storing in microseconds), a name for `find` or
--                 nothing, and the body: "1764444444000001 \n{}"
--   due           queue -> the time in microseconds from which the first item may be taken; a queue with items is
--                 either in `due` or in `held`
--   due:bulk      the same for queues of bulk messages
--   held          "<token> <queue>" -> the end of the lease in microseconds
--   tries         queue -> how many times the first item was taken
--   why           queue -> the reason of the last failure of the first item
--   marked        queue -> 1 if the first item has a mark and no lease; the token of a lease with a mark ends with "!"
--   dead          id -> a dead letter as JSON
--   dead:at       id -> the time at which the entry became a dead letter
--   later         "later:<id>", the queue of an item that is not due yet -> the queue that the item joins
--   depth         the number of items
--   ids           name for `find` -> queue
--   owners        the owners of leases (owner.lua)
--   seen:<key>    the key of an entry
--   name:<name>   the name that a name refers to (names.lua)
--   record:<name> a record of the store's user

local scripts = {}

local HEAD = [[
local prefix = KEYS[1] .. ":"
local function key(name) return prefix .. name end
local function queue_key(queue) return prefix .. "q:" .. queue end
local call = redis.call
local time = call("TIME")
local now = time[1] * 1e6 + time[2]
local function whole(number) return string.format("%.0f", number) end
local function due_of(queue) return key(string.sub(queue, 1, 5) == "bulk:" and "due:bulk" or "due") end
local function id_of(item) return string.match(item, "^%d+") end
]]

-- Adds an item to a queue that may be empty. The script writes the sorted sets `due` and `due:bulk` at its end, by
-- `write_due`.
local APPEND = [[
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

-- The algorithm of names.lua: the names of one entry refer to one root; the queue has the name of this root.
local NAMES = [[
local function root_of(name)
  for _ = 1, 16 do
    local next_name = call("GET", key("name:" .. name))
    if not next_name then break end
    name = next_name
  end
  return name
end

local function is_begun(queue)
  return call("HEXISTS", key "tries", queue) == 1
    or call("EXISTS", queue_key(queue)) == 1 and not call("ZSCORE", due_of(queue), queue)
end

local function merge(from, to)
  write_due()
  local first = is_begun(from) and 1 or 0
  local items = call("LRANGE", queue_key(from), first, -1)
  if #items == 0 then return end
  if first == 1 then
    call("LTRIM", queue_key(from), 0, 0)
  else
    call("DEL", queue_key(from))
    call("ZREM", due_of(from), from)
  end
  for _, item in ipairs(items) do append(to, item, id_of(item)) end
end

local function choose(names, roots, lanes)
  write_due()
  for _, root in ipairs(roots) do
    for _, lane in ipairs(lanes) do
      if is_begun(lane .. root) then return root end
    end
  end
  for index, root in ipairs(roots) do
    if root ~= names[index] then return root end
  end
  return roots[1]
end

local function join(names, remember, lanes)
  local roots, is_one = {}, true
  for index, name in ipairs(names) do
    roots[index] = root_of(name)
    is_one = is_one and roots[index] == roots[1]
  end
  local chosen = is_one and roots[1] or choose(names, roots, lanes)
  for index, root in ipairs(roots) do
    if root ~= chosen then
      for _, lane in ipairs(lanes) do merge(lane .. root, lane .. chosen) end
      call("SET", key("name:" .. root), chosen, "PX", remember)
    end
    if names[index] ~= chosen then call("SET", key("name:" .. names[index]), chosen, "PX", remember) end
  end
  return chosen
end
]]

-- Writes the records that begin at an argument. Each has four arguments: name, value, milliseconds, and the position of
-- its change or "". The milliseconds are "" if the record is kept without limit, and "0" if it is removed. If "+" is
-- before the milliseconds, the record is written only if the new value is greater. If "#" is before them, the value is
-- added to the number in the record. If a record belongs to a change, it is written only if `made` has 1 for this
-- change.
local RECORDS = [[
local function write_records(from, made)
  for index = from, #ARGV, 4 do
    local name, value, milliseconds, change = key(ARGV[index]), unpack(ARGV, index + 1, index + 3)
    local is_due = change == "" or made[tonumber(change)] == 1
    if is_due and string.sub(milliseconds, 1, 1) == "+" then
      milliseconds = string.sub(milliseconds, 2)
      is_due = value > (call("GET", name) or "")
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

-- Arguments: remember, remember of names, number of lanes, lanes, number of entries; of each entry: key, value, same,
-- lane, "bulk" or "", microseconds or "", name for `find` or "", number of names, names, body; records. Returns the
-- number of stored entries, then position and value of each known key that has a value. If the key of an entry was
-- recorded before with a different value, stores nothing, and returns only the position of this entry, negated. An
-- entry whose name for `find` is known is not stored again, because the script is run twice if the first reply is lost.
scripts.put = HEAD .. APPEND .. NAMES .. RECORDS .. [[
local remember, remember_names, lanes, position = ARGV[1], ARGV[2], {}, 4 + ARGV[3]
for index = 4, position - 1 do lanes[index - 3] = ARGV[index] end
local count, stored, stored_before, reply = tonumber(ARGV[position]), 0, 0, {}
position = position + 1
local first = position
for number = 1, count do
  local identity, value, same = unpack(ARGV, position, position + 2)
  local recorded = same ~= "0" and call("GET", key("seen:" .. identity))
  if recorded and string.sub(recorded, 1, same) ~= string.sub(value, 1, same) then return { -number } end
  position = position + 9 + ARGV[position + 7]
end
position = first
for number = 1, count do
  local identity, value, _, lane, bulk, at, name, many = unpack(ARGV, position, position + 7)
  local names, id, body = {}, whole(now + number - 1), position + 8 + many
  bulk = bulk ~= "" and "bulk:" or ""
  if name ~= "" and call("HEXISTS", key "ids", name) == 1 then
    stored = stored + 1
    stored_before = stored_before + 1
  elseif identity == "" or call("SET", key("seen:" .. identity), value, "NX", "PX", remember) then
    for index = position + 8, body - 1 do names[#names + 1] = ARGV[index] end
    local queue = bulk .. (names[1] and lane .. join(names, remember_names, lanes) or "entry:" .. id)
    if at ~= "" then
      call("HSET", key "later", "later:" .. id, queue)
      queue = "later:" .. id
    end
    if name ~= "" then call("HSET", key "ids", name, queue) end
    append(queue, id .. " " .. name .. "\n" .. ARGV[body], at ~= "" and at or id)
    stored = stored + 1
  elseif value ~= "" then
    reply[#reply + 1] = number
    reply[#reply + 1] = call("GET", key("seen:" .. identity))
  end
  position = body + 1
end
write_due()
if stored > stored_before then call("INCRBY", key "depth", stored - stored_before) end
write_records(position)
return { stored, unpack(reply) }
]]

-- Removes the first item of a queue, so that the next one can be taken.
local ADVANCE = [[
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

-- Returns the seconds until an entry can be taken; "" if no entry waits.
local NEXT_DUE = [[
local function next_due()
  local earliest
  for _, set in ipairs { "due", "due:bulk", "held" } do
    local due = tonumber(call("ZRANGE", key(set), 0, 0, "WITHSCORES")[2])
    if due and (not earliest or due < earliest) then earliest = due end
  end
  return earliest and string.format("%.6f", math.max(0, earliest - now) / 1e6) or ""
end
]]

-- Arguments: token, n, microseconds of the lease, largest number of attempts, "!" for leases with a mark or "", tokens
-- of calls whose replies were lost. Returns one text: the seconds until another entry is due if fewer than n are
-- returned, "" if none is due; a line break; and for each entry attempt, 1 if it had a mark or 0, the lengths of queue
-- and item, a line break, queue and item.
scripts.take = HEAD .. APPEND .. ADVANCE .. NEXT_DUE .. [[
local token, n, lease, most, mark = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), ARGV[5]
local taken, count, leased, ended = {}, 0, {}, whole(now + lease)
for _, member in ipairs(call("ZRANGEBYSCORE", key "held", "-inf", now, "LIMIT", 0, 500)) do
  local was_marked, queue = string.match(member, "^%S-(!?) (.*)$")
  call("ZREM", key "held", member)
  call("HINCRBY", key "tries", queue, 1)
  if was_marked == "!" then call("HSET", key "marked", queue, "1") end
  call("ZADD", due_of(queue), now, queue)
end

-- The reply to an earlier call was lost, so its entries were not handled. An entry that was taken before keeps its
-- mark.
for index = 6, #ARGV do
  for _, member in ipairs(call("ZRANGE", key "held", 0, -1)) do
    local lost_token, its_mark, queue = string.match(member, "^(%S-)(!?) (.*)$")
    if lost_token == ARGV[index] then
      call("ZREM", key "held", member)
      if its_mark == "!" and call("HEXISTS", key "tries", queue) == 1 then call("HSET", key "marked", queue, "1") end
      call("ZADD", due_of(queue), now, queue)
    end
  end
end

local function take(set)
  while count < n do
    local queues = call("ZRANGEBYSCORE", set, "-inf", now, "LIMIT", 0, math.min(2000, n - count))
    if #queues == 0 then return end
    call("ZREM", set, unpack(queues))
    local tries, marks = call("HMGET", key "tries", unpack(queues)), {}
    if call("EXISTS", key "marked") == 1 then
      marks = call("HMGET", key "marked", unpack(queues))
      call("HDEL", key "marked", unpack(queues))
    end
    for index, queue in ipairs(queues) do
      local item, attempt = call("LINDEX", queue_key(queue), 0), tonumber(tries[index] or 0) + 1
      local target = string.sub(queue, 1, 6) == "later:" and call("HGET", key "later", queue)
      if target then
        call("HDEL", key "later", queue)
        call("DEL", queue_key(queue))
        local name = string.match(item, "^%d+ ([^\n]*)")
        if name ~= "" then call("HSET", key "ids", name, target) end
        append(target, item, whole(now))
      elseif item and attempt > most and not marks[index] then
        make_dead(queue, attempt - 1, call("HGET", key "why", queue) or "its lease was over before it was handled")
      elseif item then
        count = count + 1
        taken[count] = string.format("%d %d %d %d\n", attempt, marks[index] and 1 or 0, #queue, #item)
          .. queue .. item
        leased[2 * count - 1] = ended
        leased[2 * count] = token .. (marks[index] and "!" or mark) .. " " .. queue
      end
    end
    write_due()
  end
end
take(key "due")
take(key "due:bulk")
for from = 1, #leased, 2000 do
  call("ZADD", key "held", unpack(leased, from, math.min(from + 1999, #leased)))
end
finish()
return (count < n and next_due() or "") .. "\n" .. table.concat(taken)
]]

-- Arguments: number of changes; of each: kind of change, token, queue, attempt, id, name for `find` or "", seconds or
-- ids of following items or "", reason or body, "!" if the entry has a mark afterwards or ""; records. Returns "" if all
-- leases were valid; otherwise a text with 1 for each change whose lease was valid, and 0 for each other change.
scripts.settle = HEAD .. ADVANCE .. RECORDS .. [[
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

-- Removes items behind an item that was removed, or makes them dead letters.
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
  local what, token, queue, attempt, id, name, seconds, reason, mark = unpack(ARGV, position, position + 8)
  local member = token .. " " .. queue
  if what == "extend" then
    reply[number] = call("ZSCORE", key "held", member) and 1 or 0
    if reply[number] == 1 then
      call("ZREM", key "held", member) -- the first write must not need memory
      call("ZADD", key "held", whole(now + seconds * 1e6), string.gsub(token, "!$", "") .. mark .. " " .. queue)
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
  position = position + 9
end
finish()
write_records(position, made)
local states = table.concat(reply)
return string.find(states, "0", 1, true) and states or ""
]]

scripts.next_due = HEAD .. NEXT_DUE .. [[
return next_due()
]]

-- Compares the first entries of all queues, and returns the time in microseconds at which the oldest one was stored; ""
-- without entries.
scripts.oldest = HEAD .. [[
local oldest
for _, set in ipairs { "due", "due:bulk", "held" } do
  for _, member in ipairs(call("ZRANGE", key(set), 0, 9)) do
    local item = call("LINDEX", queue_key(set == "held" and string.match(member, " (.*)$") or member), 0)
    local id = item and tonumber(id_of(item))
    if id and (not oldest or id < oldest) then oldest = id end
  end
end
return oldest and whole(oldest) or ""
]]

local ROWS = [[
local list = {}
local function add_row(state, queue, tries, reason, at, item, mark)
  local target = call("HGET", key "later", queue) or queue
  for _, part in ipairs { state, queue, target, tostring(tries), reason, at, item, mark or "" } do
    list[#list + 1] = part
  end
end

local function add_first(state, queue, item, mark)
  local tries = (call("HGET", key "tries", queue) or 0) + (state == "taken" and 1 or 0)
  if call("HEXISTS", key "marked", queue) == 1 then mark = "!" end
  add_row(state, queue, tries, call("HGET", key "why", queue) or "", "", item, mark)
end

local function add_dead(id)
  local letter = call("HGET", key "dead", id)
  local about, body = string.match(letter, "^([^\n]*)\n(.*)$")
  local queue, tries, reason, at, name = unpack(cjson.decode(about))
  add_row("dead", queue, tries, reason, string.format("%.6f", at), id .. " " .. name .. "\n" .. body)
end
]]

-- n, offset. Returns the offset for the next call, -1 at the end; then eight values for each entry: state, queue, the
-- queue the entry belongs to, attempts, reason, seconds or "", item, "!" for a mark or "". Offsets count queues.
scripts.list = HEAD .. ROWS .. [[
local n, offset, skip = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[2])
for _, set in ipairs { "held", "due", "due:bulk" } do
  local members = call("ZRANGE", key(set), skip, skip + n - 1)
  skip = math.max(0, skip - call("ZCARD", key(set)))
  for _, member in ipairs(members) do
    if #list >= 8 * n then return { offset, unpack(list) } end
    local mark, queue = "", member
    if set == "held" then mark, queue = string.match(member, "^%S-(!?) (.*)$") end
    for index, item in ipairs(call("LRANGE", queue_key(queue), 0, n - 1)) do
      if index == 1 then
        add_first(set == "held" and "taken" or "waiting", queue, item, mark)
      else
        add_row("waiting", queue, 0, "", "", item)
      end
    end
    offset = offset + 1
  end
  if #members == n then return { offset, unpack(list) } end
end
return { -1, unpack(list) }
]]

-- n, offset. Returns what the script `list` returns, but for dead letters.
scripts.list_dead = HEAD .. ROWS .. [[
local n, offset = tonumber(ARGV[1]), tonumber(ARGV[2])
local ids = call("ZRANGE", key "dead:at", offset, offset + n - 1)
for _, id in ipairs(ids) do add_dead(id) end
return { #ids == n and offset + n or -1, unpack(list) }
]]

-- Returns the position of an item in its queue, and the item.
local LOOK_UP = [[
local function look_up(queue, id)
  for index, item in ipairs(call("LRANGE", queue_key(queue), 0, -1)) do
    if id_of(item) == id then return index, item end
  end
end
]]

-- Argument: a name for `find`. Returns what `list` returns, without the offset.
scripts.find = HEAD .. ROWS .. [[
local place = call("HGET", key "ids", ARGV[1])
if not place then return list end
if string.sub(place, 1, 5) == "dead " then
  add_dead(string.sub(place, 6))
  return list
end
for index, item in ipairs(call("LRANGE", queue_key(place), 0, -1)) do
  if string.match(item, "^%d+ ([^\n]*)") == ARGV[1] then
    if index == 1 then
      local is_waiting, mark = call("ZSCORE", due_of(place), place), ""
      for _, member in ipairs(is_waiting and {} or call("ZRANGE", key "held", 0, -1)) do
        local its_mark, queue = string.match(member, "^%S-(!?) (.*)$")
        if queue == place then mark = its_mark end
      end
      add_first(is_waiting and "waiting" or "taken", place, item, mark)
    else
      add_row("waiting", place, 0, "", "", item)
    end
  end
end
return list
]]

-- Argument: a name for `find`.
scripts.hasten = HEAD .. [[
local place = call("HGET", key "ids", ARGV[1])
if place and string.sub(place, 1, 6) == "later:" then call("ZADD", due_of(place), "XX", whole(now), place) end
return 1
]]

-- Arguments: number of entries; of each: queue, id; records.
scripts.drop = HEAD .. ADVANCE .. LOOK_UP .. RECORDS .. [[
local made, count = {}, tonumber(ARGV[1])
for position = 2, 2 * count, 2 do
  local before, queue = removed, ARGV[position]
  local index, item = look_up(queue, ARGV[position + 1])
  local name = item and string.match(item, "^%d+ ([^\n]*)")
  if index == 1 and call("ZREM", due_of(queue), queue) == 1 then
    advance(queue, true, name)
    call("HDEL", key "later", queue)
  elseif index and index > 1 then
    call("LREM", queue_key(queue), 1, item)
    if name ~= "" then call("HDEL", key "ids", name) end
    removed = removed + 1
  end
  made[position / 2] = removed - before
end
finish()
write_records(2 + 2 * count, made)
return removed
]]

-- Arguments: "revive" or "drop", number of lanes, lanes, ids of dead letters.
scripts.settle_dead = HEAD .. APPEND .. NAMES .. [[
local function present_queue(queue)
  local bulk = string.sub(queue, 1, 5) == "bulk:" and "bulk:" or ""
  queue = string.sub(queue, #bulk + 1)
  for index = tonumber(ARGV[2]) + 2, 3, -1 do
    local lane = ARGV[index]
    if string.sub(queue, 1, #lane) == lane then return bulk .. lane .. root_of(string.sub(queue, #lane + 1)) end
  end
  return bulk .. queue
end

local count = 0
for position = 3 + ARGV[2], #ARGV do
  local letter, id = call("HGET", key "dead", ARGV[position]), whole(now + count)
  if letter then
    local about, body = string.match(letter, "^([^\n]*)\n(.*)$")
    local queue, _, _, _, name = unpack(cjson.decode(about))
    call("HDEL", key "dead", ARGV[position])
    call("ZREM", key "dead:at", ARGV[position])
    if name ~= "" then call("HDEL", key "ids", name) end
    if ARGV[1] == "revive" then
      queue = present_queue(queue)
      append(queue, id .. " " .. name .. "\n" .. body, id)
      if name ~= "" then call("HSET", key "ids", name, queue) end
      call("INCR", key "depth")
    end
    count = count + 1
  end
end
write_due()
return count
]]

-- Arguments: the name of this process, names of processes that have ended. Ends the leases of the processes that have
-- ended; converts what release 1.0 has stored. Returns all owners.
scripts.look = HEAD .. APPEND .. [[
call("ZREMRANGEBYSCORE", key "owners", "-inf", now - 86400e6)
call("ZADD", key "owners", now, ARGV[1])
for index = 2, #ARGV do
  call("ZREM", key "owners", ARGV[index])
  for _, member in ipairs(call("ZRANGE", key "held", 0, -1)) do
    if string.sub(member, 1, #ARGV[index] + 1) == ARGV[index] .. ":" then call("ZADD", key "held", now, member) end
  end
end

-- In release 1.0 the items of `queue:<queue>` were bodies, and a token of the queue was in a stream or among the
-- delayed tokens.
local numbers = 0
local function take_over(queue, due)
  local new = string.gsub(string.gsub(queue, "^customer:", ""), "^event:", "entry:")
  local tries = call("HGET", key "attempts", queue)
  local is_empty = call("EXISTS", queue_key(new)) == 0
  for _, body in ipairs(call("LRANGE", key("queue:" .. queue), 0, -1)) do
    numbers = numbers + 1
    append(new, whole(now + numbers) .. " \n" .. body, due or whole(now + numbers))
  end
  if tries and tries ~= "0" and is_empty then
    call("HSET", key "tries", new, tries)
    call("HSET", key "why", new, call("HGET", key "reasons", queue) or "")
  end
  call("DEL", key("queue:" .. queue))
end

if call("EXISTS", key "stream") == 1 then
  for _, entry in ipairs(call("XRANGE", key "stream", "-", "+")) do
    local ends = call("ZSCORE", key "leases", entry[1])
    take_over(entry[2][2], ends and whole(ends * 1e6))
  end
end
for _, queue in ipairs(call("ZRANGE", key "delayed", 0, -1)) do
  take_over(queue, whole(call("ZSCORE", key "delayed", queue) * 1e6))
end
if call("EXISTS", key "aside") == 1 then
  for _, entry in ipairs(call("XRANGE", key "aside", "-", "+")) do
    local fields = entry[2] -- returns names and values of queue, body, attempts, reason, at
    numbers = numbers + 1
    local queue = string.gsub(string.gsub(fields[2], "^customer:", ""), "^event:", "entry:")
    local about = cjson.encode { queue, tonumber(fields[6]), fields[8], tonumber(fields[10]), "" }
    call("HSET", key "dead", whole(now + numbers), about .. "\n" .. fields[4])
    call("ZADD", key "dead:at", whole(fields[10] * 1e6), whole(now + numbers))
  end
end
write_due()
for _, name in ipairs { "stream", "leases", "delayed", "attempts", "reasons", "aside", "numbers" } do
  call("DEL", key(name))
end
return call("ZRANGE", key "owners", 0, -1)
]]

return scripts
