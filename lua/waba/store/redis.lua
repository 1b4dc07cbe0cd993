-- The store in Redis (6 or newer), for many processes on many machines. contract.lua describes the methods, and
-- redis_scripts.lua the keys. The settings `appendonly` and `appendfsync` of the Redis server determine what survives
-- a crash of the server.

local core = require "waba.core"
local errors = require "waba.errors"
local names = require "waba.store.names"
local owner = require "waba.store.owner"
local redis_connection = require "waba.store.redis_connection"
local scripts = require "waba.store.redis_scripts"

---@class waba.RedisStore : waba.Store
local Redis = {}
Redis.__index = Redis
Redis.__name = "waba.store.redis"
Redis.durable = true

local unpack = table.unpack or unpack -- luacheck: ignore 143

-- Seconds between two searches for processes that have ended.
local LOOK = 5

-- A connection contains a password, so it is not a field of the store, which programs may print.
local connections = setmetatable({}, { __mode = "k" })

local function unavailable(self, message)
  local text = self.title .. "'s Redis: " .. tostring(message)
  return errors.new { kind = "unavailable", message = text, retryable = true }
end

-- Sends several commands together. Returns the replies, and the error texts of the commands that Redis refused.
local function call(self, commands)
  local connection = connections[self]
  if not connection then error(self.title:gsub("^the ", "this ") .. " is closed", 3) end
  return connection.call(commands)
end

-- Reads one key.
local function read(self, key)
  local replies, messages = call(self, { { "GET", self.prefix .. ":" .. key } })
  if not replies or messages[1] then return nil, unavailable(self, replies and messages[1] or messages) end
  return replies[1] or nil
end

-- Loads scripts. Returns nil and an error if Redis refuses one of the commands.
local function load_scripts(self, list)
  if #list == 0 then return true end
  local commands = {}
  for index, name in ipairs(list) do commands[index] = { "SCRIPT", "LOAD", scripts[name] } end
  local replies, messages = call(self, commands)
  for index, name in ipairs(list) do
    if not replies or messages[index] then return nil, unavailable(self, replies and messages[index] or messages) end
    self.digests[name] = replies[index]
  end
  return true
end

-- Returns the words of the command that runs a script; `run_all` sets the digest of the script in it.
local function words_of(self, ...)
  return { "EVALSHA", "", "1", self.prefix, ... }
end

-- Sends the commands of several scripts together. Each element of `calls` is a script's name and the words of its
-- command. Returns the replies. If Redis no longer has the scripts in its cache, it has run none of them.
local function run_all(self, calls, is_again)
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
  local replies, messages = call(self, commands)
  if not replies then return nil, unavailable(self, messages) end
  for index = 1, #calls do
    if messages[index] and messages[index]:find "NOSCRIPT" and not is_again then
      self.digests = {}
      return run_all(self, calls, true)
    elseif messages[index] then
      return nil, unavailable(self, messages[index])
    end
  end
  return replies
end

local look

local function run(self, name, words)
  local replies, ok, err
  if name ~= "look" then
    ok, err = look(self)
    if not ok then return nil, err end
  end
  replies, err = run_all(self, { { name, words } })
  if not replies then return nil, err end
  return replies[1]
end

-- Registers this process, ends the leases of processes that have ended, and converts what release 1.0 has stored.
function look(self)
  if core.clock() < self.look_at then return true end
  self.owner = self.owner or owner.name()
  local owners, err = run(self, "look", words_of(self, self.owner))
  if not owners then return nil, err end
  self.look_at = core.clock() + LOOK
  local words = words_of(self, self.owner)
  for _, name in ipairs(owners) do
    if owner.has_ended(name) then words[#words + 1] = name end
  end
  if #words == 5 then return true end
  return run(self, "look", words)
end

local function add_lanes(self, list)
  list[#list + 1] = tostring(#self.lanes)
  for _, lane in ipairs(self.lanes) do list[#list + 1] = lane end
end

-- Most calls pass the same number of seconds, so its text is kept.
local last_seconds, last_milliseconds

local function milliseconds(seconds)
  if seconds ~= last_seconds then
    last_seconds, last_milliseconds = seconds, ("%d"):format(math.ceil(seconds * 1000))
  end
  return last_milliseconds
end

local function microseconds(seconds)
  return ("%.0f"):format(seconds * 1e6)
end

-- `change` is the position of the change to which the records belong, or "". If `is_always` is set, only the records
-- with `add` depend on the change.
local function add_records(list, records, change, is_always)
  for _, record in ipairs(records or {}) do
    local ends = record.seconds and milliseconds(record.seconds) or ""
    local value, condition = record.value, change
    if record.add then
      value, ends = tostring(record.add), "#" .. ends
    else
      if value == nil then value, ends = "", "0" end
      if record.rises then ends = "+" .. ends end
      if is_always then condition = "" end
    end
    local n = #list
    list[n + 1] = (record.of_key and "seen:" or "record:") .. record.name
    list[n + 2], list[n + 3], list[n + 4] = value, ends, condition
  end
end

-- Returns the arguments of the script `put`.
local function put_words(self, entries, records)
  local list = words_of(self, milliseconds(self.remember), milliseconds(names.REMEMBER))
  add_lanes(self, list)
  list[#list + 1] = tostring(#entries)
  for _, entry in ipairs(entries) do
    local own = entry.names or {}
    local n, names_count = #list, #own
    list[n + 1], list[n + 2], list[n + 3] = entry.key or "", entry.value or "", tostring(entry.same or 0)
    list[n + 4], list[n + 5] = entry.lane or "", entry.bulk and "bulk" or ""
    list[n + 6], list[n + 7] = entry.at and microseconds(entry.at) or "", entry.id or ""
    list[n + 8] = tostring(names_count)
    for index = 1, names_count do list[n + 8 + index] = own[index] end
    list[n + 9 + names_count] = entry.body
  end
  add_records(list, records, "")
  return list
end

local function parts_of_item(item)
  local id, name, start = item:match "^(%d+) ([^\n]*)\n()"
  return id, name, item:sub(start)
end

local function ids_of(leases)
  local ids = {}
  for index, lease in ipairs(leases) do ids[index] = lease.id end
  return table.concat(ids, " ")
end

-- Returns the kind of a change, the seconds or nil, and a text or nil.
local function parts_of(change)
  if change.done then return change.done end
  if change.extend then return "extend", change.extend end
  if change.later then return "later", change.later, change.body end
  if change.dead then return "dead", nil, change.reason end
  if change.release then return "release", change.delay end
  return "delay", change.delay, change.reason
end

-- Returns the token of a lease after a change of its mark.
local function token_of(change)
  if change.mark == nil then return change.lease.token end
  return change.lease.token:gsub("!$", "") .. (change.mark and "!" or "")
end

-- Returns whether an entry has a mark after a change.
local function has_mark(change)
  if change.extend then return token_of(change):sub(-1) == "!" end
  return change.lease.was_marked
end

-- Returns the arguments of the script `settle`.
local function settle_words(self, changes, records)
  local list, n = words_of(self, tostring(#changes)), 5
  for _, change in ipairs(changes) do
    local lease = change.lease
    local what, seconds, text = parts_of(change)
    list[n + 1], list[n + 2], list[n + 3] = what, lease.token, lease.queue
    list[n + 4] = lease.attempts == 1 and "1" or ("%d"):format(lease.attempts)
    list[n + 5], list[n + 6], list[n + 7] = lease.id, lease.name, seconds and ("%.6f"):format(seconds) or ""
    if change.following then list[n + 7] = ids_of(change.following) end
    list[n + 8], list[n + 9] = text or "", not change.done and has_mark(change) and "!" or ""
    n = n + 9
  end
  for index, change in ipairs(changes) do
    add_records(list, change.records, tostring(index), change.done == "always")
  end
  add_records(list, records, "")
  return list
end

-- Reads the reply of the script `settle`, and sets `lost` in the changes whose leases had expired. Returns the number
-- of changes whose leases had not expired.
local function mark_lost(changes, reply)
  local held = 0
  for index, change in ipairs(changes) do
    change.lost = reply ~= "" and reply:sub(index, index) == "0"
    if not change.lost then
      held = held + 1
      if change.mark ~= nil then change.lease.token = token_of(change) end
    end
  end
  return held
end

function Redis:settle(changes, records)
  if #changes == 0 and not records then return 0 end
  local reply, err = run(self, "settle", settle_words(self, changes, records))
  if not reply then return nil, err end
  return mark_lost(changes, reply)
end

-- Reads the leases in the reply of the script `take`.
local function read_leases(reply, token, mark)
  local due, position = reply:match "^([^\n]*)\n()"
  local taken, last = {}, #reply
  while position <= last do
    local attempts, was_marked, queue_length, length, start = reply:match("^(%d+) (%d) (%d+) (%d+)\n()", position)
    local item = start + queue_length
    position = item + length
    local id, name, body = reply:match("^(%d+) ([^\n]*)\n()", item)
    was_marked = was_marked == "1" or nil
    taken[#taken + 1] = {
      token = token .. (was_marked and "!" or mark), queue = reply:sub(start, item - 1),
      attempts = tonumber(attempts), id = id, name = name,
      body = reply:sub(body, position - 1), was_marked = was_marked,
    }
  end
  return taken, tonumber(due) or false
end

-- Adds the script calls of one `take`. Returns a function that reads the replies. `calls.failed` must be called if
-- there are no replies. The script may have taken entries, which are not handled then, so the next `take` ends their
-- leases.
local function add_taking(self, calls, n, seconds, changes, mark)
  local token, tokens, settled, lost = nil, {}, nil, self.lost_tokens
  local function next_token()
    self.numbers = self.numbers + 1
    token = self.owner .. ":" .. self.numbers
    tokens[#tokens + 1] = token
    return token
  end
  mark, self.lost_tokens = mark and "!" or "", {}
  if changes and #changes > 0 then
    settled = #calls + 1
    calls[settled] = { "settle", settle_words(self, changes) }
  end
  local place = #calls + 1
  local words = words_of(self, next_token(), ("%d"):format(n), microseconds(seconds), ("%d"):format(self.attempts),
    mark, unpack(lost))
  calls[place] = { "take", words }

  function calls.repeated()
    words[#words + 1], words[5] = token, next_token()
  end

  function calls.failed()
    for _, list in ipairs { lost, tokens } do
      for _, one in ipairs(list) do self.lost_tokens[#self.lost_tokens + 1] = one end
    end
  end

  return function(replies)
    if settled then mark_lost(changes, replies[settled]) end
    local taken, due = read_leases(replies[place], token, mark)
    if #taken >= n then return taken end
    return taken, due
  end
end

function Redis:put(entries, records, taking)
  local ok, err = look(self)
  if not ok then return nil, err end
  local calls = { { "put", put_words(self, entries, records) } }
  local read_taken = taking and add_taking(self, calls, taking.n, taking.seconds, taking.changes)
  local replies
  replies, err = run_all(self, calls)
  if not replies then
    if calls.failed then calls.failed() end
    return nil, err
  end
  if replies[1][1] < 0 then return false, -replies[1][1] end
  for index = 2, #replies[1], 2 do entries[replies[1][index]].known = replies[1][index + 1] end
  if not taking then return replies[1][1] end
  return replies[1][1], read_taken(replies)
end

function Redis:take(n, seconds, changes, mark)
  local ok, err = look(self)
  if not ok then return nil, err end
  local calls = {}
  local read_taken = add_taking(self, calls, n, seconds, changes, mark)
  local replies
  replies, err = run_all(self, calls)
  if not replies then
    calls.failed()
    return nil, err
  end
  return read_taken(replies)
end

function Redis:following(lease, n)
  local replies, messages = call(self, {
    { "LRANGE", self.prefix .. ":q:" .. lease.queue, "1", ("%d"):format(n) }, { "TIME" },
  })
  if not replies or messages[1] then return nil, unavailable(self, replies and messages[1] or messages) end
  local list, now = {}, replies[2][1] + replies[2][2] / 1e6
  for index, item in ipairs(replies[1]) do
    local id, _, body = parts_of_item(item)
    list[index] = { id = id, body = body, age = now - id / 1e6 }
  end
  return list, now - lease.id / 1e6
end

function Redis:depth()
  local reply, err = read(self, "depth")
  if err then return nil, err end
  return tonumber(reply) or 0
end

function Redis:next_due()
  return tonumber((run(self, "next_due", words_of(self))))
end

function Redis:oldest()
  local reply, err = run(self, "oldest", words_of(self))
  if not reply then return nil, err end
  return tonumber(reply) and tonumber(reply) / 1e6
end

-- Returns the rows in a reply, from an index on.
local function rows_of(reply, from)
  local rows = {}
  for index = from, #reply, 8 do
    local id, _, body = parts_of_item(reply[index + 6])
    local conversation, reason = reply[index + 2]:gsub("^bulk:", ""), reply[index + 4]
    rows[#rows + 1] = {
      state = reply[index], queue = reply[index + 1], attempts = tonumber(reply[index + 3]), id = id, body = body,
      conversation = not conversation:find "^entry:" and conversation or nil, reason = reason ~= "" and reason or nil,
      at = tonumber(reply[index + 5]) or tonumber(id) / 1e6, is_marked = reply[index + 7] == "!" or nil,
    }
  end
  return rows
end

function Redis:list(dead, n, after)
  local reply, err = run(self, dead and "list_dead" or "list", words_of(self, ("%d"):format(n), after or "0"))
  if not reply then return nil, err end
  return rows_of(reply, 2), reply[1] >= 0 and ("%d"):format(reply[1]) or nil
end

function Redis:find(id)
  local reply, err = run(self, "find", words_of(self, id))
  if not reply then return nil, err end
  return rows_of(reply, 1)[1]
end

function Redis:hasten(id)
  local reply, err = run(self, "hasten", words_of(self, id))
  if not reply then return nil, err end
  return true
end

local function settle_dead(self, what, rows)
  local list = words_of(self, what)
  add_lanes(self, list)
  for _, row in ipairs(rows) do list[#list + 1] = row.id end
  return run(self, "settle_dead", list)
end

function Redis:revive(rows)
  return settle_dead(self, "revive", rows)
end

function Redis:drop(rows)
  local dead, others = {}, {}
  for _, row in ipairs(rows) do
    local list = row.state == "dead" and dead or others
    list[#list + 1] = row
  end
  local count, err = settle_dead(self, "drop", dead)
  if not count or #others == 0 then return count, err end
  local words = words_of(self, ("%d"):format(#others))
  for _, row in ipairs(others) do words[#words + 1], words[#words + 2] = row.queue, row.id end
  for index, row in ipairs(others) do add_records(words, row.records, ("%d"):format(index)) end
  others, err = run(self, "drop", words)
  return others and count + others, err
end

function Redis:get(name)
  return read(self, "record:" .. name)
end

function Redis:get_all(list)
  local commands = {}
  for index, name in ipairs(list) do commands[index] = { "GET", self.prefix .. ":record:" .. name } end
  if #list == 0 then return {} end
  local replies, messages = call(self, commands)
  if not replies then return nil, unavailable(self, messages) end
  local found = {}
  for index, name in ipairs(list) do
    if messages[index] then return nil, unavailable(self, messages[index]) end
    found[name] = replies[index] or nil
  end
  return found
end

function Redis:record_names(prefix, n, after)
  local start = self.prefix .. ":record:"
  local pattern = (start .. prefix):gsub("[%*%?%[%]\\^]", "\\%0") .. "*"
  local replies, messages = call(self, {
    { "SCAN", after or "0", "MATCH", pattern, "COUNT", ("%d"):format(10 * n) },
    { "GET", self.prefix .. ":depth" }, -- in a cluster this command finds the node that has the keys; SCAN must run
                                        -- there
  })
  if not replies or messages[1] then return nil, unavailable(self, replies and messages[1] or messages) end
  local list = {}
  for index, name in ipairs(replies[1][2]) do list[index] = name:sub(#start + 1) end
  return list, replies[1][1] ~= "0" and replies[1][1] or nil
end

function Redis:close()
  local connection = connections[self]
  if not connection then return end
  connection.close()
  connections[self] = nil
end

local redis = {}

--- Makes a store in Redis. Connects at the first use. `attempts`, `remember`, `lanes` and `title` are the options of
--- `waba.store.memory`. `prefix` is the prefix of all keys; in a cluster its braces keep the keys on one node. `name`
--- is the name of the public function that makes the store, for errors.
---@param settings { prefix: string, name: string, host: string, port: integer, timeout: number, [string]: any }
---@return waba.RedisStore
function redis.new(settings)
  local store = setmetatable({
    prefix = settings.prefix, attempts = settings.attempts, remember = settings.remember, lanes = settings.lanes,
    title = settings.title, digests = {}, numbers = 0, look_at = 0,
    lost_tokens = {}, -- the tokens of calls of `take` whose replies were lost
  }, Redis)
  connections[store] = redis_connection.new(settings, settings.name)
  return store
end

return redis
