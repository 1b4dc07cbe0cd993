-- Runs scripts in Redis. Redis runs one script at a time, so no other command sees a part of its changes. If the
-- memory of Redis is full, Redis refuses a script whose first write needs memory. Only the script of `put` begins with
-- such a write. The comment of each script lists its arguments ARGV[1], ARGV[2], …
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
--   ids           hash: name -> the queue of the item, or "dead <id>"
--   owners        sorted set: the owner of leases (store/owner.lua) -> the time in microseconds of its last LOOK
--   seen:<key>    the value of an entry's key
--   name:<name>   the conversation name to which another name refers (store/names.lua)
--   record:<name> the value of a `waba.StoreRecord`

local errors = require "waba.errors"

local script = {}

--- The first lines of every script.
script.HEAD = [[
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

--- Functions for scripts that append items. A script calls `write_due` after its last `append`, which adds the queues
--- with a new first item to the sorted sets `due` and `due:bulk`.
script.APPEND = [[
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

-- The connections of the stores. A connection contains a password. It is not a field of the store, because programs
-- may print a store.
local connections = setmetatable({}, { __mode = "k" })

function script.connect(self, connection) connections[self] = connection end

function script.close(self)
  local connection = connections[self]
  if not connection then return end
  connection.close()
  connections[self] = nil
end

--- Sends several commands together. Returns the replies; or nil, an error, and whether Redis does not have the script.
function script.call(self, commands)
  local connection = connections[self]
  if not connection then error(self.title:gsub("^the ", "this ") .. " is closed", 3) end
  local replies, messages = connection.call(commands)
  for index = 1, #commands do
    local message = not replies and messages or messages[index]
    if message then
      local text = self.title .. "'s Redis: " .. tostring(message)
      local err = errors.new { kind = "unavailable", message = text, retryable = true }
      return nil, err, message:find "NOSCRIPT" ~= nil
    end
  end
  return replies
end

function script.read(self, key)
  local replies, err = script.call(self, { { "GET", self.prefix .. ":" .. key } })
  return replies and replies[1] or nil, err
end

local function load_scripts(self, calls)
  local commands = {}
  for _, one in ipairs(calls) do
    if not self.digests[one[1]] then commands[#commands + 1] = { "SCRIPT", "LOAD", one[1] } end
  end
  if #commands == 0 then return true end
  local digests, err = script.call(self, commands)
  for index, digest in ipairs(digests or {}) do self.digests[commands[index][3]] = digest end
  return digests ~= nil, err
end

--- Returns the words of the command that runs a script. The function `run_all` adds the digest of the script.
function script.words_of(self, ...) return { "EVALSHA", "", "1", self.prefix, ... } end

--- Runs several scripts, whose commands are sent together. Returns the replies. Each element of `calls` has the text
--- of a script and the words of its command. Calls `calls.repeated` before commands are sent again, and `calls.failed`
--- if there are no replies.
function script.run_all(self, calls, is_again)
  local replies, is_missing
  local ok, err = load_scripts(self, calls)
  if ok then
    local commands = { repeated = calls.repeated }
    for index, one in ipairs(calls) do one[2][2], commands[index] = self.digests[one[1]], one[2] end
    replies, err, is_missing = script.call(self, commands)
  end
  if is_missing and not is_again then -- Redis has run none of the scripts
    self.digests = {}
    return script.run_all(self, calls, true)
  end
  if not replies and calls.failed then calls.failed() end
  return replies, err
end

--- Returns the id, the name and the body of an item.
function script.parts_of_item(item)
  local id, name, start = item:match "^(%d+) ([^\n]*)\n()"
  return id, name, item:sub(start)
end

--- Appends the number of lanes and the lanes to the words of a command.
function script.add_lanes(self, list)
  list[#list + 1] = tostring(#self.lanes)
  for _, lane in ipairs(self.lanes) do list[#list + 1] = lane end
end

-- Redis refuses a time of expiry with more than 64 bits.
local MOST_MILLISECONDS = 2 ^ 53

-- The argument and the result of the last call of `script.milliseconds`. Most calls have the same argument.
local last_seconds, last_milliseconds

--- Converts seconds to the text of an integer number of milliseconds.
function script.milliseconds(seconds)
  if seconds ~= last_seconds then
    last_seconds, last_milliseconds = seconds, ("%.0f"):format(math.min(math.ceil(seconds * 1000), MOST_MILLISECONDS))
  end
  return last_milliseconds
end

function script.microseconds(seconds) return ("%.0f"):format(seconds * 1e6) end

return script
