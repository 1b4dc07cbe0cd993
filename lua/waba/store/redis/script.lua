-- Runs scripts in Redis, and reads keys. Redis runs one script at a time, and runs it completely or not at all.
-- When its memory is full, Redis refuses a script whose first write may need memory; only `put` begins with such a
-- write. The comment before a script lists its arguments, from ARGV[1] on. The keys of a store, without their prefix:
--   q:<queue>     a list: the items of one lane of a conversation; the name of a queue of bulk messages begins with
--                 "bulk:". An item consists of its id (the time of storing in microseconds), a name for `find` or
--                 nothing, and the body: "1764444444000001 \n{}"
--   due           queue -> the time in microseconds from which the first item may be taken; a queue with items is
--                 either in `due` or in `held`
--   due:bulk      the same as `due`, for queues of bulk messages
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

local errors = require "waba.errors"

local script = {}

--- The beginning of every script.
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

--- Adds an item to a queue that may be empty. The script writes the sorted sets `due` and `due:bulk` at its end, by
--- `write_due`.
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

-- A connection contains a password, so it is not a field of the store, which programs may print.
local connections = setmetatable({}, { __mode = "k" })

--- Sets the connection of a store.
function script.connect(self, connection)
  connections[self] = connection
end

--- Makes the error of a store whose Redis is not available.
function script.unavailable(self, message)
  local text = self.title .. "'s Redis: " .. tostring(message)
  return errors.new { kind = "unavailable", message = text, retryable = true }
end

--- Closes the connection of a store.
function script.close(self)
  local connection = connections[self]
  if not connection then return end
  connection.close()
  connections[self] = nil
end

--- Sends several commands together. Returns the replies, and the error texts of the commands that Redis refused.
function script.call(self, commands)
  local connection = connections[self]
  if not connection then error(self.title:gsub("^the ", "this ") .. " is closed", 3) end
  return connection.call(commands)
end

--- Reads one key.
function script.read(self, key)
  local replies, messages = script.call(self, { { "GET", self.prefix .. ":" .. key } })
  if not replies or messages[1] then return nil, script.unavailable(self, replies and messages[1] or messages) end
  return replies[1] or nil
end

-- Loads scripts. Returns nil and an error if Redis refuses one of the commands.
local function load_scripts(self, list)
  if #list == 0 then return true end
  local commands = {}
  for index, text in ipairs(list) do commands[index] = { "SCRIPT", "LOAD", text } end
  local replies, messages = script.call(self, commands)
  for index, text in ipairs(list) do
    if not replies or messages[index] then
      return nil, script.unavailable(self, replies and messages[index] or messages)
    end
    self.digests[text] = replies[index]
  end
  return true
end

--- Returns the words of the command that runs a script; `run_all` writes the digest of the script into the command.
function script.words_of(self, ...)
  return { "EVALSHA", "", "1", self.prefix, ... }
end

--- Sends the commands of several scripts together. Each element of `calls` is the text of a script and the words of its
--- command. Returns the replies. If Redis no longer has the scripts in its cache, it has run none of them.
function script.run_all(self, calls, is_again)
  local unknown, commands = {}, { repeated = calls.repeated }
  for _, one in ipairs(calls) do
    if not self.digests[one[1]] then unknown[#unknown + 1] = one[1] end
  end
  local ok, err = load_scripts(self, unknown)
  if not ok then return nil, err end
  for index, one in ipairs(calls) do
    local words = one[2]
    words[2], commands[index] = self.digests[one[1]], words
  end
  local replies, messages = script.call(self, commands)
  if not replies then return nil, script.unavailable(self, messages) end
  for index = 1, #calls do
    if messages[index] and messages[index]:find "NOSCRIPT" and not is_again then
      self.digests = {}
      return script.run_all(self, calls, true)
    elseif messages[index] then
      return nil, script.unavailable(self, messages[index])
    end
  end
  return replies
end

--- Returns the id of an item, its name for `find` or "", and its body.
function script.parts_of_item(item)
  local id, name, start = item:match "^(%d+) ([^\n]*)\n()"
  return id, name, item:sub(start)
end

--- Appends the number of lanes and the lanes to the words of a command.
function script.add_lanes(self, list)
  list[#list + 1] = tostring(#self.lanes)
  for _, lane in ipairs(self.lanes) do list[#list + 1] = lane end
end

-- Redis refuses a time of expiry that does not fit into 64 bits.
local MOST_MILLISECONDS = 2 ^ 53

-- Most calls pass the same number of seconds, so its text is kept.
local last_seconds, last_milliseconds

--- Returns seconds as a number of milliseconds in a script's arguments.
function script.milliseconds(seconds)
  if seconds ~= last_seconds then
    last_seconds, last_milliseconds = seconds, ("%.0f"):format(math.min(math.ceil(seconds * 1000), MOST_MILLISECONDS))
  end
  return last_milliseconds
end

--- Returns seconds as a number of microseconds in a script's arguments.
function script.microseconds(seconds)
  return ("%.0f"):format(seconds * 1e6)
end

return script
