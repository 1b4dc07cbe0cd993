-- Runs scripts in Redis. Redis runs one script at a time, so no other command sees a part of a script's changes. The
-- first script that a process runs is LOOK. LOOK registers the process. If the memory of Redis is full, Redis refuses a
-- script whose first write needs memory. Only the script of `put` begins with a write that needs memory. The comment
-- of each script lists the arguments ARGV[1], ARGV[2], …
--
-- A queue contains the items of one lane of a conversation. An item is a text such as "1764444444000001 n\n{}": an id,
-- a name, a line break and a body. The id is the time in microseconds at which the entry was stored. The name is the
-- `id` of a `waba.StoreEntry`, or "". The keys of a store begin with its prefix and a colon:
--   q:<queue>     list: the items of a queue; the name of a queue of bulk messages begins with "bulk:"
--   due           sorted set: queue -> the time in microseconds from which the first item may be taken
--   due:bulk      sorted set like `due`, for the queues of bulk messages
--   held          sorted set: "<token> <queue>" -> the end of the lease of the first item, in microseconds
--   tries         hash: queue -> how many times the first item was taken
--   why           hash: queue -> the reason of the last failure of the first item
--   marked        hash: queue -> 1 if the first item has a mark but no lease
--   dead          hash: id -> a dead letter as JSON, a line break and the body
--   dead:at       sorted set: id -> the time in microseconds at which the entry became a dead letter
--   later         hash: "later:<id>", the queue of an item with a time `at` -> the queue to which the item is moved
--   depth         the number of items in all queues
--   ids           hash: name -> the queue of the item with this name; for a dead letter, "dead <id>"
--   use           whether the keys belong to an inbox or an outbox: "inbox" or "outbox"
--   owners        sorted set: owner (store/owner.lua) -> the time of the owner's last LOOK, in microseconds
--   seen:<key>    the value that was recorded with an entry's key
--   name:<name>   the conversation name to which another name refers (store/names.lua)
--   record:<name> the value of a `waba.StoreRecord`

local code = require "waba.store.redis.code"
local core = require "waba.core"
local errors = require "waba.errors"
local owner = require "waba.store.owner"
local redis_connection = require "waba.store.redis.connection"

local script = {}

-- The connection of each store. The connection is not a field of the store, so that printing a store shows no password.
local connections = setmetatable({}, { __mode = "k" })

function script.connect(self, connection) connections[self] = connection end

function script.close(self)
  local connection = connections[self]
  if not connection then return end
  connection.close()
  connections[self] = nil
end

local function connection_of(self)
  return connections[self] or error(self.title:gsub("^the ", "this ") .. " is closed", 3)
end

local function failure(self, message)
  local text = self.title .. "'s Redis: " .. tostring(message)
  return errors.new { kind = "unavailable", message = text, retryable = true }
end

--- Returns nil and the error about a reply that Redis never returns.
function script.not_redis(self) return nil, failure(self, redis_connection.NOT_REDIS) end

--- Sends several commands together. Returns the replies; or nil, an error, and whether Redis does not know the script
--- of a command.
function script.call(self, commands)
  local replies, messages = connection_of(self).call(commands)
  if not replies then return nil, failure(self, messages) end
  if not messages then return replies end
  local _, message = next(messages)
  return nil, failure(self, message), message:find "NOSCRIPT" ~= nil
end

function script.read(self, key)
  local replies, err = script.call(self, { { "GET", self.prefix .. ":" .. key } })
  if not replies then return nil, err end
  if replies[1] and type(replies[1]) ~= "string" then return script.not_redis(self) end
  return replies[1] or nil
end

--- Returns the words of the command that runs a script. The second word is empty until the script is run: then it is
--- the digest of the script.
function script.words_of(self, ...) return { "EVALSHA", "", "1", self.prefix, ... } end

-- Runs a script, and loads it first if this process has not loaded it or Redis has lost it. `commands` is the table
-- for the call of the connection.
local function run(self, text, words, commands)
  commands = commands or {}
  local is_again = false
  while true do
    if not self.digests[text] then
      local digest, message = connection_of(self).load(text)
      if not digest then return nil, failure(self, message) end
      self.digests[text] = digest
    end
    words[2], commands[1] = self.digests[text], words
    local replies, err, is_missing = script.call(self, commands)
    if not is_missing or is_again then return replies and replies[1], err end
    self.digests, is_again = {}, true
  end
end

--- Returns the id, the name and the body of an item. A damaged item has the id "0".
function script.parts_of_item(item)
  local id, name, start = item:match "^(%d+) ([^\n]*)\n()"
  return id or "0", name or "", item:sub(start or 1)
end

--- Appends the number of lanes and the lanes to the words of a command.
function script.add_lanes(self, list)
  list[#list + 1] = tostring(#self.lanes)
  for _, lane in ipairs(self.lanes) do list[#list + 1] = lane end
end

local MOST_MILLISECONDS = 2 ^ 53 -- the longest lifetime; Redis refuses a time of expiry above 64 bits

-- The results of `script.milliseconds` by argument, because most calls have one of a few arguments. The table is
-- emptied at MOST_TEXTS results.
local MOST_TEXTS = 100
local texts, count = {}, 0

--- Converts seconds to the text of an integer number of milliseconds.
function script.milliseconds(seconds)
  local text = texts[seconds]
  if text then return text end
  if count >= MOST_TEXTS then texts, count = {}, 0 end
  text = ("%.0f"):format(math.min(math.ceil(seconds * 1000), MOST_MILLISECONDS))
  texts[seconds], count = text, count + 1
  return text
end

function script.microseconds(seconds) return ("%.0f"):format(seconds * 1e6) end

local LOOK_AGAIN = 5 -- the least number of seconds between two calls of LOOK

-- Registers a process, ends the leases of ended processes, and converts the keys of release 1.0. Returns all owners. If
-- the keys belong to an outbox and the first argument is "inbox", returns "outbox"; in the reverse case, returns
-- "inbox". Arguments: "inbox" or "outbox", the name of the process, and the names of ended processes.
local LOOK = code.HEAD .. code.APPEND .. [[
local use = call("GET", key "use") or call("EXISTS", key "ids") == 1 and "outbox" or ARGV[1]
if use ~= ARGV[1] then return use end
call("ZREMRANGEBYSCORE", key "owners", "-inf", now - 86400e6)
call("ZADD", key "owners", now, ARGV[2])
call("SETNX", key "use", use)
for index = 3, #ARGV do
  call("ZREM", key "owners", ARGV[index])
  for _, member in ipairs(call("ZRANGE", key "held", 0, -1)) do
    if string.sub(member, 1, #ARGV[index] + 1) == ARGV[index] .. ":" then call("ZADD", key "held", now, member) end
  end
end

-- Converts a queue of release 1.0. In release 1.0 an item was a body without an id and a name. The keys `stream` and
-- `delayed` had the names of the queues.
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

for _, entry in ipairs(call("XRANGE", key "stream", "-", "+")) do
  local ends = call("ZSCORE", key "leases", entry[1])
  take_over(entry[2][2], ends and whole(ends * 1e6))
end
for _, queue in ipairs(call("ZRANGE", key "delayed", 0, -1)) do
  take_over(queue, whole(call("ZSCORE", key "delayed", queue) * 1e6))
end
for _, entry in ipairs(call("XRANGE", key "aside", "-", "+")) do
  local fields = entry[2] -- five pairs of a name and a value: queue, body, attempts, reason, at
  numbers = numbers + 1
  local queue = string.gsub(string.gsub(fields[2], "^customer:", ""), "^event:", "entry:")
  local about = cjson.encode { queue, tonumber(fields[6]), fields[8], tonumber(fields[10]), "" }
  call("HSET", key "dead", whole(now + numbers), about .. "\n" .. fields[4])
  call("ZADD", key "dead:at", whole(fields[10] * 1e6), whole(now + numbers))
end
write_due()
for _, name in ipairs { "stream", "leases", "delayed", "attempts", "reasons", "aside", "numbers" } do
  call("DEL", key(name))
end
return call("ZRANGE", key "owners", 0, -1)
]]

local BELONGS = "%s's Redis: the prefix %s belongs to an %s: %s needs a prefix of its own"

--- Returns the name of this process, with which its leases begin.
function script.owner_of(self)
  self.owner = self.owner or owner.name()
  return self.owner
end

--- Runs LOOK if LOOK_AGAIN seconds have passed. Returns true, or nil and an error.
function script.look(self)
  if core.clock() < self.look_at then return true end
  local use, name = self.title:match "%a+$", script.owner_of(self)
  local list, err = run(self, LOOK, script.words_of(self, use, name))
  if not list then
    return nil, err
  elseif type(list) == "string" then
    local message = BELONGS:format(self.title, self.prefix, list, self.title)
    return nil, errors.new { kind = "unavailable", message = message, retryable = true }
  end
  self.look_at = core.clock() + LOOK_AGAIN
  local words = script.words_of(self, use, name)
  for _, other in ipairs(list) do
    if owner.has_ended(other) then words[#words + 1] = other end
  end
  if #words == 6 then return true end
  return run(self, LOOK, words)
end

--- Runs a script after `look`. Returns its reply; or nil and an error. Before a further attempt after a lost reply, the
--- function `commands.repeated` is called with `commands`, whose first element is `words`, and may change the words.
---@param text string
---@param words string[]
---@param commands? table
function script.run(self, text, words, commands)
  local ok, err = script.look(self)
  if not ok then return nil, err end
  return run(self, text, words, commands)
end

return script
