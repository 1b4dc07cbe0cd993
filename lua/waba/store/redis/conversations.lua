-- The conversations of a Redis store: the method `put`, and the names of conversations.

local leases = require "waba.store.redis.leases"
local names = require "waba.store.names"
local records = require "waba.store.redis.records"
local script = require "waba.store.redis.script"

local conversations = {}

--- Lua code of scripts that find conversations by names. The function `name_store` returns the `waba.NameStore` of a
--- Redis store. The name of a queue consists of the lane and the root of its conversation.
conversations.NAMES = names.CODE .. [[
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

-- Stores entries and records. Returns a list with the number of stored entries, and with the index and the recorded
-- value of each entry whose key is already recorded. If the value of an entry differs from the recorded value in the
-- first `same` bytes, nothing is stored, and the list has only the negated index of this entry. The script runs again
-- after a lost reply. Therefore it skips an entry whose `id` is stored, and an entry that is finished, which has a
-- record `state:<id>` of an outbox. Arguments: the lifetime of keys and the lifetime of references between names, both
-- in milliseconds; "again" if the script runs again, else ""; the number of lanes, the lanes, and the number of
-- entries. Arguments of each entry: `key`, `value`, `same`, `lane`, "bulk" or "", `at` in microseconds or "", `id`, the
-- number of names, the names, and the body. The last arguments are the records.
local PUT = script.HEAD .. script.APPEND .. conversations.NAMES .. records.WRITE .. [[
local remember, remember_names, is_repeated, lanes, position = ARGV[1], ARGV[2], ARGV[3] ~= "", {}, 5 + ARGV[4]
for index = 5, position - 1 do lanes[index - 4] = ARGV[index] end
local count, stored, stored_before, reply = tonumber(ARGV[position]), 0, 0, { 0 }
local store = name_store(remember_names, lanes)
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
  local is_known = name ~= "" and (call("HEXISTS", key "ids", name) == 1
    or is_repeated and call("EXISTS", key("record:state:" .. name)) == 1)
  if is_known then
    stored = stored + 1
    stored_before = stored_before + 1
  elseif identity == "" or call("SET", key("seen:" .. identity), value, "NX", "PX", remember) then
    for index = position + 8, body - 1 do names[#names + 1] = ARGV[index] end
    local queue = bulk .. (names[1] and lane .. join(store, names) or "entry:" .. id)
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
reply[1] = stored
return reply
]]

local function put_words(self, entries, more_records)
  local list = script.words_of(self, script.milliseconds(self.remember), script.milliseconds(names.REMEMBER), "")
  script.add_lanes(self, list)
  list[#list + 1] = tostring(#entries)
  for _, entry in ipairs(entries) do
    local own = entry.names or {}
    local n, names_count = #list, #own
    list[n + 1], list[n + 2], list[n + 3] = entry.key or "", entry.value or "", tostring(entry.same or 0)
    list[n + 4], list[n + 5] = entry.lane or "", entry.bulk and "bulk" or ""
    list[n + 6], list[n + 7] = entry.at and script.microseconds(entry.at) or "", entry.id or ""
    list[n + 8] = tostring(names_count)
    for index = 1, names_count do list[n + 8 + index] = own[index] end
    list[n + 9 + names_count] = entry.body
  end
  records.add(list, more_records)
  return list
end

local function repeated(commands)
  commands[1][7] = "again"
  if commands.calls.taking then leases.repeated(commands) end
end

function conversations:put(entries, list, taking)
  local ok, err = script.look(self)
  if not ok then return nil, err end
  local calls = { { PUT, put_words(self, entries, list) } }
  if taking then leases.add_taking(self, calls, taking.n, taking.seconds, taking.changes) end
  calls.repeated = repeated
  local replies, failure = script.run_all(self, calls)
  if not replies then return nil, failure end
  local reply = replies[1]
  if reply[1] < 0 then return false, -reply[1] end
  for index = 2, #reply, 2 do entries[reply[index]].known = reply[index + 1] end
  if not taking then return reply[1] end
  return reply[1], leases.read_taken(calls, replies)
end

return conversations
