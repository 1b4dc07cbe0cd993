-- The processes that use a Redis store. The script LOOK runs before other scripts, at most once in LOOK_AGAIN seconds.

local core = require "waba.core"
local owner = require "waba.store.owner"
local script = require "waba.store.redis.script"

local owners = {}

-- The least number of seconds between two calls of LOOK.
local LOOK_AGAIN = 5

-- Registers a process, ends the leases of ended processes, and converts the keys of release 1.0. Returns all owners.
-- Arguments: the name of the process, and the names of ended processes.
local LOOK = script.HEAD .. script.APPEND .. [[
call("ZREMRANGEBYSCORE", key "owners", "-inf", now - 86400e6)
call("ZADD", key "owners", now, ARGV[1])
for index = 2, #ARGV do
  call("ZREM", key "owners", ARGV[index])
  for _, member in ipairs(call("ZRANGE", key "held", 0, -1)) do
    if string.sub(member, 1, #ARGV[index] + 1) == ARGV[index] .. ":" then call("ZADD", key "held", now, member) end
  end
end

-- Converts a queue of release 1.0, whose items were bodies. `stream` and `delayed` had the names of the queues.
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

local function run(self, text, words)
  local replies, err = script.run_all(self, { { text, words } })
  return replies and replies[1], err
end

--- Runs LOOK if LOOK_AGAIN seconds have passed. Returns true, or nil and an error.
function owners.look(self)
  if core.clock() < self.look_at then return true end
  self.owner = self.owner or owner.name()
  local list, err = run(self, LOOK, script.words_of(self, self.owner))
  if not list then return nil, err end
  self.look_at = core.clock() + LOOK_AGAIN
  local words = script.words_of(self, self.owner)
  for _, name in ipairs(list) do
    if owner.has_ended(name) then words[#words + 1] = name end
  end
  if #words == 5 then return true end
  return run(self, LOOK, words)
end

function owners.run(self, text, words)
  local ok, err = owners.look(self)
  if not ok then return nil, err end
  return run(self, text, words)
end

return owners
