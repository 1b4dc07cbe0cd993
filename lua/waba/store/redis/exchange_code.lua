-- The script that stores, changes and takes the entries of a Redis store. One call does all three, so that `put`,
-- `settle` and `take` together cost one command and one reply.

local code = require "waba.store.redis.code"

-- The arguments of a list of records are described in code.lua. The other arguments:
-- 1: "again" if the script runs again because a reply was lost, else ""
-- 2 to 5: the number of entries, the number of changes, the number of arguments of the records, and the number of
--   entries to take
-- With entries:
-- - the lifetime of keys, and the lifetime of references between names, both in milliseconds
-- - the number of lanes, and the lanes
-- - for each entry: `key`, `value`, `same`, `lane`, "bulk" or "", `at` in microseconds or "", `id`, the number of names,
--   the names, and the body
-- For each change:
-- - the kind of the change, with "!" at its end if the entry keeps a mark
-- - the token of the lease, the queue, and the number of the attempt
-- - the first line of the item with its line break: its id, a space and its name
-- - the seconds of the change, or the ids of the items in `following`, or ""
-- - the reason of the change or the new body, or ""
-- The records. Then, if entries are to be taken:
-- - the token of the leases, and the length of the leases in microseconds
-- - the option `attempts` of the store
-- - "!" for leases with a mark, else ""
-- - the setting `beside` of the store, with a space between the suffixes. For an entry of the first lane, the script
--   reads the records whose names consist of the name of the conversation and one of the suffixes
-- - the tokens of calls whose replies were lost
--
-- The reply consists of strings, integers and false; `core.redis_parts` splits the reply:
-- 1: the number of stored entries. If the value of an entry differs from the recorded value in the first `same` bytes,
--    nothing is stored, changed or taken, and the reply has only false and the index of this entry
-- 2: "" if all leases of the changes are valid, else a digit for each change: 1 if its lease is valid, else 0
-- 3: the result of `next_due`, or "" if the requested number of entries is leased
-- 4: the number of entries that became dead letters because all their leases have expired
-- 5: the number of entries whose key was already recorded with a value; for each of them, its index and the value
-- For each leased entry: the attempt, 1 if the entry had a mark (else 0), the queue, the first line of the item with its
-- line break, the body, and the records, which are false if they do not exist
--
-- Arguments of commands are strings, and numbers are formatted with %d where possible, because other conversions of
-- numbers take Redis and Lua much longer.
-- A function is defined in the part of the script that uses it, because each call of the script creates the functions
-- of the parts that it runs.
return code.HEAD .. code.APPEND .. [[
local growth, advance, make_dead = 0
local is_repeated, stored, known, states, due, died, taken, made, position = ARGV[1] ~= "", 0, {}, "", "", 0, {}, {}, 6
local entries, changes, record_words, n = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
if entries > 0 then
  local join_names -- set when an entry needs it, because most entries have one name that refers to no other name
  local function new_join_names()
]] .. code.NAMES .. [[
    local lanes = {}
    for index = 9, 8 + ARGV[8] do lanes[index - 8] = ARGV[index] end
    local store = name_store(ARGV[7], lanes)
    return function(first, last) return join(store, { unpack(ARGV, first, last) }) end
  end

  local remember, first, references, roots = ARGV[6], 9 + ARGV[8], {}, {}
  position = first
  for number = 1, entries do
    local identity, value, same = unpack(ARGV, position, position + 2)
    local recorded = same ~= "0" and call("GET", prefix .. "seen:" .. identity)
    if recorded and string.sub(recorded, 1, same) ~= string.sub(value, 1, same) then
      return string.format("- =%d\n", number)
    end
    references[number] = prefix .. "name:" .. (ARGV[position + 7] == "1" and ARGV[position + 8] or "")
    position = position + 9 + ARGV[position + 7]
  end
  for from = 1, entries, 2000 do
    local list = call("MGET", unpack(references, from, math.min(from + 1999, entries)))
    for index = 1, #list do roots[from + index - 1] = list[index] end
  end
  position = first
  for number = 1, entries do
    local identity, value, _, lane, bulk, at, name, many = unpack(ARGV, position, position + 7)
    local id, body = whole(now + number - 1), position + 8 + many
    -- after a lost reply the entry may be stored already, or even finished: then an outbox has its record `state:<id>`
    local is_known = name ~= "" and (call("HEXISTS", key "ids", name) == 1
      or is_repeated and call("EXISTS", key("record:state:" .. name)) == 1)
    if is_known then
      stored = stored + 1
    elseif identity == "" or call("SET", prefix .. "seen:" .. identity, value, "NX", "PX", remember) then
      local queue
      if many == "0" then
        queue = "entry:" .. id
      elseif many == "1" and not roots[number] and not join_names then
        queue = lane .. ARGV[position + 8]
      else
        join_names = join_names or new_join_names()
        queue = lane .. join_names(position + 8, body - 1)
      end
      if bulk ~= "" then queue = "bulk:" .. queue end
      if at ~= "" then
        call("HSET", key "later", "later:" .. id, queue)
        queue = "later:" .. id
      end
      if name ~= "" then call("HSET", key "ids", name, queue) end
      append(queue, id .. " " .. name .. "\n" .. ARGV[body], at ~= "" and at or id)
      stored, growth = stored + 1, growth + 1
    elseif value ~= "" then
      local recorded = call("GET", prefix .. "seen:" .. identity)
      known[#known + 1] = string.format("=%d %d\n", number, #recorded) .. recorded
    end
    position = body + 1
  end
  write_due()
end

if changes > 0 or n > 0 then
]] .. code.ADVANCE .. [[
end

if changes > 0 then
  local function remove_lost(queue, id, name)
    local item = call("LINDEX", queue_key(queue), "0")
    if item and id_of(item) == id then
      if call("ZREM", due_of(queue), queue) == 0 then
        for _, member in ipairs(call("ZRANGE", key "held", "0", "-1")) do
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
    growth = growth + 1
    call("HSET", key "later", place, queue)
    call("RPUSH", queue_key(place), id .. " " .. name .. "\n" .. body)
    call("ZADD", due_of(place), whole(now + seconds * 1e6), place)
    if name ~= "" then call("HSET", key "ids", name, place) end
  end

  -- Removes the items with the ids `ids` from the start of a queue. With a reason, makes the items dead letters.
  local function end_following(queue, ids, attempt, reason)
    for id in string.gmatch(ids, "%d+") do
      local item = call("LINDEX", queue_key(queue), "0")
      if item and id_of(item) == id then
        if reason then make_dead(queue, attempt, reason) else advance(queue, false, "") end
      end
    end
    if call("EXISTS", queue_key(queue)) == 0 then call("ZREM", due_of(queue), queue) end
  end

  local reply = {}
  for number = 1, changes do
    local what, token, queue, attempt, head, seconds, reason = unpack(ARGV, position, position + 6)
    local member, id, name, mark = token .. " " .. queue, string.match(head, "^(%d+) ([^\n]*)")
    what, mark = string.match(what, "^(%l+)(!?)$")
    if what == "extend" then
      -- the script runs again after a lost reply, and then the lease has the new mark; ZREM is before ZADD, because the
      -- first write of a script without entries must not need memory
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
  states = table.concat(reply)
  if not string.find(states, "0", 1, true) then states = "" end
end

if record_words > 0 then
]] .. code.RECORDS .. [[
  write_records(position, position + record_words - 1, made)
end

if n > 0 then
]] .. code.NEXT_DUE .. [[
  position = position + record_words
  local token, lease, most, mark, beside = unpack(ARGV, position, position + 4)
  local count, leased = 0, {}
  time = call("TIME")
  now = math.max(now + entries, time[1] * 1e6 + time[2]) -- so that the entries of this call are due
  local ended, present = whole(now + lease), whole(now)
  for _, member in ipairs(call("ZRANGEBYSCORE", key "held", "-inf", present, "LIMIT", "0", "500")) do
    local was_marked, queue = string.match(member, "^%S-(!?) (.*)$")
    call("ZREM", key "held", member)
    call("HINCRBY", key "tries", queue, "1")
    if was_marked == "!" then call("HSET", key "marked", queue, "1") end
    call("ZADD", due_of(queue), present, queue)
  end

  -- Ends the leases of calls whose replies were lost. Only an entry that was also taken before keeps its mark.
  for index = position + 5, #ARGV do
    for _, member in ipairs(call("ZRANGE", key "held", "0", "-1")) do
      local lost_token, its_mark, queue = string.match(member, "^(%S-)(!?) (.*)$")
      if lost_token == ARGV[index] then
        call("ZREM", key "held", member)
        if its_mark == "!" and call("HEXISTS", key "tries", queue) == 1 then call("HSET", key "marked", queue, "1") end
        call("ZADD", due_of(queue), present, queue)
      end
    end
  end

  local function records_of(queue)
    local names = {}
    if not string.find(queue, ":", 1, true) then
      for ending in string.gmatch(beside, "%S+") do names[#names + 1] = key("record:" .. queue .. ending) end
    end
    if #names == 0 then return "", "" end
    local lengths, values = "", call("MGET", unpack(names))
    for index, value in ipairs(values) do
      lengths = lengths .. (value and string.format(" %d", #value) or " -")
      values[index] = value or ""
    end
    return lengths, table.concat(values)
  end

  local function take(set)
    while count < n do
      local queues = call("ZRANGEBYSCORE", set, "-inf", present, "LIMIT", "0",
        string.format("%d", math.min(2000, n - count)))
      if #queues == 0 then return end
      call("ZREM", set, unpack(queues))
      local tries, marks = call("HMGET", key "tries", unpack(queues)), {}
      if call("EXISTS", key "marked") == 1 then
        marks = call("HMGET", key "marked", unpack(queues))
        call("HDEL", key "marked", unpack(queues))
      end
      for index, queue in ipairs(queues) do
        local item, attempt = call("LINDEX", queue_key(queue), "0"), (tonumber(tries[index] or 0) or 0) + 1
        local target = string.sub(queue, 1, 6) == "later:" and call("HGET", key "later", queue)
        local line_end = item and string.match(item, "^%d+ [^\n]*()\n")
        if item and not line_end then -- the item is damaged, or from another program
          item = whole(now + index) .. " \n" .. item
          line_end = string.find(item, "\n", 1, true)
          call("LSET", queue_key(queue), "0", item)
        end
        if target and not item then
          call("HDEL", key "later", queue)
        elseif target then
          call("HDEL", key "later", queue)
          call("DEL", queue_key(queue))
          local name = string.match(item, "^%d+ ([^\n]*)")
          if name ~= "" then call("HSET", key "ids", name, target) end
          append(target, item, present)
        elseif item and attempt > most and not marks[index] then
          make_dead(queue, attempt - 1, call("HGET", key "why", queue) or "its lease was over before it was handled")
          died = died + 1
        elseif item then
          count = count + 1
          local lengths, records = records_of(queue)
          taken[count] = string.format("=%d =%d %d %d %d%s\n", attempt, marks[index] and 1 or 0, #queue, line_end,
            #item - line_end, lengths) .. queue .. item .. records
          leased[2 * count - 1] = ended
          leased[2 * count] = token .. (marks[index] and "!" or mark) .. " " .. queue
        end
      end
      write_due()
    end
  end
  most = tonumber(most)
  take(key "due")
  take(key "due:bulk")
  for from = 1, #leased, 2000 do
    call("ZADD", key "held", unpack(leased, from, math.min(from + 1999, #leased)))
  end
  if count < n then due = next_due() end
end

]] .. code.FINISH .. [[
return string.format("=%d %d %d =%d =%d\n", stored, #states, #due, died, #known) .. states .. due
  .. table.concat(known) .. table.concat(taken)
]]
