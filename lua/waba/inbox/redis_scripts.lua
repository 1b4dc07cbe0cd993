-- The Redis inbox's operations as scripts, which Redis runs one at a time and whole or not at all.
--
-- Each conversation has a list of its events, and while it is not empty one token: an entry of the
-- stream (it waits, or the consumer group lent it to a worker), or a place in `delayed` (its first
-- event failed). So a conversation is never in two hands, and its events keep their order.
--   stream    tokens; field `queue`           leases    token id -> Unix time of its end
--   delayed   queue -> Unix time              attempts  queue -> tries of its first event
--   reasons   queue -> last failure           aside     stream of what was tried too often
--   depth     number of events                queue:<name>, seen:<key>
--   name:<customer's name>  the name that it refers to (customers.lua)

local keys = require "waba.inbox.keys"

local PRELUDE = [[
local prefix, group = ARGV[1], ARGV[2]
local function key(name) return prefix .. ":" .. name end
local stream, leases, delayed = key "stream", key "leases", key "delayed"
local attempts, reasons, aside, depth = key "attempts", key "reasons", key "aside", key "depth"
local time = redis.call("TIME")
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local function seconds(number) return string.format("%.6f", number) end
local function queue_key(queue) return key("queue:" .. queue) end
local function add_token(queue) redis.call("XADD", stream, "*", "queue", queue) end

local function append(queue, body)
  redis.call("INCR", depth)
  if redis.call("RPUSH", queue_key(queue), body) == 1 then add_token(queue) end
end

local function drop_token(id)
  redis.call("ZREM", leases, id)
  redis.call("XACK", stream, group, id)
  redis.call("XDEL", stream, id)
end

local function advance(queue, id)
  drop_token(id)
  redis.call("LPOP", queue_key(queue))
  redis.call("HDEL", attempts, queue)
  redis.call("HDEL", reasons, queue)
  redis.call("DECR", depth)
  if redis.call("LLEN", queue_key(queue)) > 0 then add_token(queue) end
end

local function set_aside(queue, id, reason)
  redis.call("XADD", aside, "*", "queue", queue, "body", redis.call("LINDEX", queue_key(queue), 0),
    "attempts", redis.call("HGET", attempts, queue), "reason", reason, "at", seconds(now))
  advance(queue, id)
end

local function holds(id, queue, attempt)
  return redis.call("ZSCORE", leases, id) and redis.call("HGET", attempts, queue) == attempt
end
]]

local scripts = {}

-- The algorithm of customers.lua: the names of one event refer to one root, which names the queue.
local CUSTOMERS = [[
local function leads_to(name) return key("name:" .. name) end

local function root_of(name)
  for _ = 1, 16 do
    local next_name = redis.call("GET", leads_to(name))
    if not next_name then break end
    name = next_name
  end
  return name
end

local function is_begun(queue) return tonumber(redis.call("HGET", attempts, queue) or 0) > 0 end

-- `take` drops a token whose queue is empty.
local function merge(from, to)
  local first = is_begun(from) and 1 or 0
  local bodies = redis.call("LRANGE", queue_key(from), first, -1)
  if #bodies == 0 then return end
  if first == 1 then redis.call("LTRIM", queue_key(from), 0, 0) else redis.call("DEL", queue_key(from)) end
  redis.call("DECRBY", depth, #bodies)
  for _, body in ipairs(bodies) do append(to, body) end
end

local function choose(names, roots)
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

local function join(names, remember)
  local roots, is_one = {}, true
  for index, name in ipairs(names) do
    roots[index] = root_of(name)
    is_one = is_one and roots[index] == roots[1]
  end
  local chosen = is_one and roots[1] or choose(names, roots)
  for index, root in ipairs(roots) do
    if root ~= chosen then
      for _, lane in ipairs(lanes) do merge(lane .. root, lane .. chosen) end
      redis.call("SET", leads_to(root), chosen, "PX", remember)
    end
    if names[index] ~= chosen then redis.call("SET", leads_to(names[index]), chosen, "PX", remember) end
  end
  return chosen
end
]]

local lanes = {}
for index, lane in ipairs(keys.LANES) do lanes[index] = ("%q"):format("customer:" .. lane) end
CUSTOMERS = "local lanes = {" .. table.concat(lanes, ",") .. "}\n" .. CUSTOMERS

-- prefix, group, remember, remember of names, events: key, lane, number of names, names, body of each, every one as
-- "length:bytes"
scripts.put = PRELUDE .. CUSTOMERS .. [[
local remember, remember_names, events, position = ARGV[3], ARGV[4], ARGV[5], 1
local function next_word()
  local _, colon, length = string.find(events, "^(%d+):", position)
  position = colon + 1 + length
  return string.sub(events, colon + 1, position - 1)
end
local stored = 0
while position <= #events do
  local identity, lane, names = next_word(), next_word(), {}
  for index = 1, tonumber(next_word()) do names[index] = next_word() end
  local body = next_word()
  if identity == "" or redis.call("SET", key("seen:" .. identity), "1", "NX", "PX", remember) then
    local queue = names[1] and lane .. join(names, remember_names) or "event:" .. redis.call("INCR", key "numbers")
    append(queue, body)
    stored = stored + 1
  end
end
return stored
]]

-- prefix, group, consumer, n, lease, most attempts; gives id, queue, attempt, body and its digest of each event
scripts.take = PRELUDE .. [[
local consumer, n, lease, most = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local taken = {}

local function lend(id, queue)
  local body = redis.call("LINDEX", queue_key(queue), 0)
  if not body then return drop_token(id) end
  if tonumber(redis.call("HGET", attempts, queue) or 0) >= most then
    return set_aside(queue, id, redis.call("HGET", reasons, queue) or "its lease was over before it was handled")
  end
  local attempt = redis.call("HINCRBY", attempts, queue, 1)
  redis.call("ZADD", leases, seconds(now + lease), id)
  for _, part in ipairs { id, queue, tostring(attempt), body, redis.sha1hex(body) } do taken[#taken + 1] = part end
end

for _, queue in ipairs(redis.call("ZRANGEBYSCORE", delayed, "-inf", seconds(now), "LIMIT", 0, 100)) do
  redis.call("ZREM", delayed, queue)
  add_token(queue)
end

for _, id in ipairs(redis.call("ZRANGEBYSCORE", leases, "-inf", seconds(now), "LIMIT", 0, n)) do
  redis.call("ZREM", leases, id)
  redis.call("XCLAIM", stream, group, consumer, 0, id, "FORCE", "JUSTID")
  local entry = redis.call("XRANGE", stream, id, id)[1]
  if entry then lend(id, entry[2][2]) end
end

while #taken < n * 5 do
  local words = { "XREADGROUP", "GROUP", group, consumer, "COUNT", n - #taken / 5, "STREAMS", stream, ">" }
  local reply = redis.pcall(unpack(words))
  if reply and reply.err then
    redis.call("XGROUP", "CREATE", stream, group, "0", "MKSTREAM")
    reply = redis.call(unpack(words))
  end
  if not reply then break end
  for _, entry in ipairs(reply[1][2]) do lend(entry[1], entry[2][2]) end
end
return taken
]]

-- prefix, group, then id, queue, attempt, digest of each event; gives how many were still held. With a digest an event
-- whose lease was over ends too, wherever it is now: the first of its queue, or set aside.
scripts.ack = PRELUDE .. [[
local function is_same(body, digest) return body and redis.sha1hex(body) == digest end

local function token_of(queue, id)
  if redis.call("XRANGE", stream, id, id)[1] or redis.call("ZREM", delayed, queue) == 1 then return id end
  for _, entry in ipairs(redis.call("XRANGE", stream, "-", "+")) do
    if entry[2][2] == queue then return entry[1] end
  end
  return id
end

local function remove_lost(id, queue, digest)
  if is_same(redis.call("LINDEX", queue_key(queue), 0), digest) then return advance(queue, token_of(queue, id)) end
  for _, entry in ipairs(redis.call("XREVRANGE", aside, "+", "-")) do
    if entry[2][2] == queue and is_same(entry[2][4], digest) then return redis.call("XDEL", aside, entry[1]) end
  end
end

local count = 0
for index = 3, #ARGV, 4 do
  local id, queue, attempt, digest = ARGV[index], ARGV[index + 1], ARGV[index + 2], ARGV[index + 3]
  if holds(id, queue, attempt) then
    advance(queue, id)
    count = count + 1
  elseif digest ~= "" then
    remove_lost(id, queue, digest)
  end
end
return count
]]

-- prefix, group, id, queue, attempt, most attempts, delay, reason
scripts.fail = PRELUDE .. [[
local id, queue, attempt = ARGV[3], ARGV[4], ARGV[5]
if not holds(id, queue, attempt) then return 0 end
if tonumber(attempt) >= tonumber(ARGV[6]) then
  set_aside(queue, id, ARGV[8])
  return 2
end
drop_token(id)
redis.call("HSET", reasons, queue, ARGV[8])
redis.call("ZADD", delayed, seconds(now + tonumber(ARGV[7])), queue)
return 1
]]

-- prefix, group, id, queue, attempt
scripts.release = PRELUDE .. [[
local id, queue = ARGV[3], ARGV[4]
if not holds(id, queue, ARGV[5]) then return 0 end
drop_token(id)
redis.call("HINCRBY", attempts, queue, -1)
add_token(queue)
return 1
]]

-- prefix, group, id, queue, attempt, lease
scripts.extend = PRELUDE .. [[
if not holds(ARGV[3], ARGV[4], ARGV[5]) then return 0 end
redis.call("ZADD", leases, seconds(now + tonumber(ARGV[6])), ARGV[3])
return 1
]]

-- prefix, group, n; gives body, attempts, reason, at of each
scripts.list_aside = PRELUDE .. [[
local list = {}
for _, entry in ipairs(redis.call("XRANGE", aside, "-", "+", "COUNT", ARGV[3])) do
  local fields = entry[2]
  for _, part in ipairs { fields[4], fields[6], fields[8], fields[10] } do list[#list + 1] = part end
end
return list
]]

scripts.revive = PRELUDE .. CUSTOMERS .. [[
-- the queue of a customer who has become known by another name meanwhile
local function present_queue(queue)
  for index = #lanes, 1, -1 do
    local lane = lanes[index]
    if string.sub(queue, 1, #lane) == lane then return lane .. root_of(string.sub(queue, #lane + 1)) end
  end
  return queue
end

local count = 0
for _, entry in ipairs(redis.call("XRANGE", aside, "-", "+")) do
  append(present_queue(entry[2][2]), entry[2][4])
  redis.call("XDEL", aside, entry[1])
  count = count + 1
end
return count
]]

-- Seconds, or "" when nothing waits.
scripts.next_due = PRELUDE .. [[
if redis.call("XLEN", stream) > redis.call("ZCARD", leases) then return "0" end
local earliest
for _, set in ipairs { leases, delayed } do
  local first = redis.call("ZRANGE", set, 0, 0, "WITHSCORES")
  local due = tonumber(first[2])
  if due and (not earliest or due < earliest) then earliest = due end
end
return earliest and seconds(math.max(0, earliest - now)) or ""
]]

scripts.depth = PRELUDE .. [[
return tonumber(redis.call("GET", depth) or 0)
]]

-- prefix, group, consumer: a name that nobody will use again
scripts.leave = PRELUDE .. [[
local reply = redis.pcall("XPENDING", stream, group, "-", "+", 1, ARGV[3])
if not reply.err and #reply == 0 then redis.call("XGROUP", "DELCONSUMER", stream, group, ARGV[3]) end
return 1
]]

return scripts
