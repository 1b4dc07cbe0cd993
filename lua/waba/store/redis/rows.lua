-- Counts, lists, changes and removes the entries and dead letters of a Redis store.

local code = require "waba.store.redis.code"
local records = require "waba.store.redis.records"
local script = require "waba.store.redis.script"

local rows = {}

-- Returns the time in microseconds at which the oldest entry was stored, or "" without entries.
local OLDEST = code.HEAD .. [[
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

-- Lua code of scripts that return rows. A row has eight values:
-- - the state and the queue
-- - the queue to which a deferred entry is moved; for any other entry, the queue of the entry
-- - the attempts and the reason
-- - the Unix seconds at which a dead letter was made, or ""
-- - the item
-- - "!" if the entry has a mark, else ""
local ROWS = [[
local list = {}
local function add_row(state, queue, tries, reason, at, item, mark)
  local target = call("HGET", key "later", queue) or queue
  for _, part in ipairs { state, queue, target, tostring(tries), reason, at, item, mark or "" } do
    list[#list + 1] = part
  end
end

local function add_item(queue, index, item, is_held, mark)
  if index > 1 then return add_row("waiting", queue, 0, "", "", item) end
  local tries = (tonumber(call("HGET", key "tries", queue) or 0) or 0) + (is_held and 1 or 0)
  if call("HEXISTS", key "marked", queue) == 1 then mark = "!" end
  add_row(is_held and "taken" or "waiting", queue, tries, call("HGET", key "why", queue) or "", "", item, mark)
end

local function add_dead(id)
  local letter = call("HGET", key "dead", id)
  local about, body = string.match(letter, "^([^\n]*)\n(.*)$")
  local queue, tries, reason, at, name = unpack(cjson.decode(about))
  add_row("dead", queue, tries, reason, string.format("%.6f", at), id .. " " .. name .. "\n" .. body)
end
]]

-- Returns the offset and the position of the next page, and up to n rows. The offset is the number of queues before the
-- page; after the last page it is -1. The position is the number of entries before the page in the first queue of the
-- page. Arguments: n, the offset and the position of the page.
local LIST = code.HEAD .. ROWS .. [[
local n, offset, position, skip = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[2])
for _, set in ipairs { "held", "due", "due:bulk" } do
  local members = call("ZRANGE", key(set), skip, skip + n - 1)
  skip = math.max(0, skip - call("ZCARD", key(set)))
  for _, member in ipairs(members) do
    local missing = n - #list / 8
    if missing == 0 then return { offset, position, unpack(list) } end
    local mark, queue = "", member
    if set == "held" then mark, queue = string.match(member, "^%S-(!?) (.*)$") end
    for index, item in ipairs(call("LRANGE", queue_key(queue), position, position + missing - 1)) do
      add_item(queue, position + index, item, set == "held", mark)
    end
    if call("LLEN", queue_key(queue)) > position + missing then return { offset, position + missing, unpack(list) } end
    offset, position = offset + 1, 0
  end
  if #members == n then return { offset, position, unpack(list) } end
end
return { -1, 0, unpack(list) }
]]

-- Returns dead letters in the form in which LIST returns entries. Arguments: n, and the offset of the page.
local LIST_DEAD = code.HEAD .. ROWS .. [[
local n, offset = tonumber(ARGV[1]), tonumber(ARGV[2])
local ids = call("ZRANGE", key "dead:at", offset, offset + n - 1)
for _, id in ipairs(ids) do add_dead(id) end
return { #ids == n and offset + n or -1, 0, unpack(list) }
]]

-- Returns the row of an entry, or an empty list. Argument: the `id` of the entry.
local FIND = code.HEAD .. ROWS .. [[
local place = call("HGET", key "ids", ARGV[1])
if not place then return list end
if string.sub(place, 1, 5) == "dead " then
  add_dead(string.sub(place, 6))
  return list
end
for index, item in ipairs(call("LRANGE", queue_key(place), 0, -1)) do
  if string.match(item, "^%d+ ([^\n]*)") == ARGV[1] then
    local is_held, mark = not call("ZSCORE", due_of(place), place), ""
    for _, member in ipairs(is_held and index == 1 and call("ZRANGE", key "held", 0, -1) or {}) do
      local its_mark, queue = string.match(member, "^%S-(!?) (.*)$")
      if queue == place then mark = its_mark end
    end
    add_item(place, index, item, is_held, mark)
  end
end
return list
]]

-- Makes a deferred entry due. Argument: the `id` of the entry.
local HASTEN = code.HEAD .. [[
local place = call("HGET", key "ids", ARGV[1])
if place and string.sub(place, 1, 6) == "later:" then call("ZADD", due_of(place), "XX", whole(now), place) end
return 1
]]

-- Removes entries that are not taken, and returns their number. Arguments: the number of entries; for each entry the
-- queue, the id, and "" or the body that an entry without a mark must have; the records.
local DROP = code.HEAD .. "local growth, advance, make_dead = 0\n" .. code.ADVANCE .. code.RECORDS .. [[
local made, count, read = {}, tonumber(ARGV[1]), {}
-- Reads the first items of a queue, and then all items. If the script read a long queue again for each entry, it could
-- take minutes.
local function item_of(queue, id)
  local items = read[queue]
  if not items then
    items = {}
    for _, item in ipairs(call("LRANGE", queue_key(queue), 0, count)) do items[id_of(item) or ""] = item end
    read[queue] = items
  end
  if not items[id] and not items.are_all then
    items.are_all = true
    for _, item in ipairs(call("LRANGE", queue_key(queue), 0, -1)) do items[id_of(item) or ""] = item end
  end
  return items[id]
end

for position = 2, 3 * count, 3 do
  local before, queue, id, expected = growth, unpack(ARGV, position, position + 2)
  local item = item_of(queue, id)
  local name, body = string.match(item or "", "^%d+ ([^\n]*)\n(.*)$")
  if expected ~= "" and (body ~= expected or call("HEXISTS", key "marked", queue) == 1) then item = nil end
  if item and call("LINDEX", queue_key(queue), 0) == item then
    if call("ZREM", due_of(queue), queue) == 1 then
      advance(queue, true, name)
      call("HDEL", key "later", queue)
    end
  elseif item and call("LREM", queue_key(queue), 1, item) == 1 then
    if name and name ~= "" then call("HDEL", key "ids", name) end
    growth = growth - 1
  end
  made[(position + 1) / 3] = before - growth
end
write_records(2 + 3 * count, #ARGV, made)
]] .. code.FINISH .. "return -growth"

-- Returns dead letters to their queues or removes them, and returns their number. Arguments: "revive" or "drop", the
-- number of lanes, the lanes, and the ids of the dead letters.
local SETTLE_DEAD = code.HEAD .. code.APPEND .. code.NAMES .. [[
local store = name_store()
local function present_queue(queue)
  local bulk = string.sub(queue, 1, 5) == "bulk:" and "bulk:" or ""
  queue = string.sub(queue, #bulk + 1)
  for index = tonumber(ARGV[2]) + 2, 3, -1 do
    local lane = ARGV[index]
    if string.sub(queue, 1, #lane) == lane then return bulk .. lane .. root_of(store, string.sub(queue, #lane + 1)) end
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

function rows:depth()
  local reply, err = script.read(self, "depth")
  return not err and (tonumber(reply) or 0) or nil, err
end

function rows:oldest()
  local reply, err = script.run(self, OLDEST, script.words_of(self))
  local oldest = tonumber(reply or nil)
  return oldest and oldest / 1e6, err
end

local function rows_of(reply, from)
  local list = {}
  for index = from, #reply, 8 do
    local id, _, body = script.parts_of_item(reply[index + 6])
    local conversation, reason = reply[index + 2]:gsub("^bulk:", ""), reply[index + 4]
    list[#list + 1] = {
      state = reply[index], queue = reply[index + 1], attempts = tonumber(reply[index + 3]), id = id, body = body,
      conversation = not conversation:find "^entry:" and conversation or nil, reason = reason ~= "" and reason or nil,
      at = tonumber(reply[index + 5]) or tonumber(id) / 1e6, is_marked = reply[index + 7] == "!" or nil,
    }
  end
  return list
end

function rows:list(dead, n, after)
  local offset, position = (after or "0:0"):match "^(%d+):(%d+)$"
  local reply, err = script.run(self, dead and LIST_DEAD or LIST,
    script.words_of(self, ("%d"):format(n), offset, position))
  if not reply then return nil, err end
  return rows_of(reply, 3), reply[1] >= 0 and ("%d:%d"):format(reply[1], reply[2]) or nil
end

function rows:find(id)
  local reply, err = script.run(self, FIND, script.words_of(self, id))
  return reply and rows_of(reply, 1)[1], err
end

function rows:hasten(id)
  local reply, err = script.run(self, HASTEN, script.words_of(self, id))
  return reply and true, err
end

local function settle_dead(self, what, list)
  local words = script.words_of(self, what)
  script.add_lanes(self, words)
  for _, row in ipairs(list) do words[#words + 1] = row.id end
  return script.run(self, SETTLE_DEAD, words)
end

function rows:revive(list) return settle_dead(self, "revive", list) end

function rows:drop(list)
  local dead, others = {}, {}
  for _, row in ipairs(list) do
    local kind = row.state == "dead" and dead or others
    kind[#kind + 1] = row
  end
  local count, err = settle_dead(self, "drop", dead)
  if not count or #others == 0 then return count, err end
  local words = script.words_of(self, ("%d"):format(#others))
  for _, row in ipairs(others) do
    local n = #words
    words[n + 1], words[n + 2], words[n + 3] = row.queue, row.id, row.records and row.body or ""
  end
  for index, row in ipairs(others) do records.add(words, row.records, ("%d"):format(index)) end
  others, err = script.run(self, DROP, words)
  return others and count + others, err
end

return rows
