-- The leases of a Redis store: the methods `take`, `following` and `next_due`.

local changes = require "waba.store.redis.changes"
local script = require "waba.store.redis.script"

local unpack = table.unpack or unpack

local leases = {}

-- Lua code of scripts: `next_due` returns the seconds until an entry can be taken, or "" if no entry waits.
local FUNCTION_NEXT_DUE = [[
local function next_due()
  local earliest
  for _, set in ipairs { "due", "due:bulk", "held" } do
    local due = tonumber(call("ZRANGE", key(set), 0, 0, "WITHSCORES")[2])
    if due and (not earliest or due < earliest) then earliest = due end
  end
  return earliest and string.format("%.6f", math.max(0, earliest - now) / 1e6) or ""
end
]]

-- Leases entries. Returns a text. The first line is the result of `next_due`, or "" if n entries are leased. Each entry
-- has a line with four numbers: the attempt, 1 if the entry had a mark (else 0), the length of the queue's name, and
-- the length of the item. The line then has the length of each record that was read for the entry, or "-" if the record
-- does not exist. The name, the item and the records follow the line. The arguments:
-- - the token of the leases, n, and the length of the leases in microseconds
-- - the option `attempts` of the store
-- - "!" for leases with a mark, else ""
-- - the setting `beside` of the store, with a space between the suffixes. For an entry of the first lane, the script
--   reads the records whose names consist of the name of the conversation and one of the suffixes
-- - the tokens of calls whose replies were lost
local TAKE = script.HEAD .. script.APPEND .. changes.ADVANCE .. FUNCTION_NEXT_DUE .. [[
local token, n, lease, most, mark = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), ARGV[5]
local taken, count, leased, ended = {}, 0, {}, whole(now + lease)
for _, member in ipairs(call("ZRANGEBYSCORE", key "held", "-inf", now, "LIMIT", 0, 500)) do
  local was_marked, queue = string.match(member, "^%S-(!?) (.*)$")
  call("ZREM", key "held", member)
  call("HINCRBY", key "tries", queue, 1)
  if was_marked == "!" then call("HSET", key "marked", queue, "1") end
  call("ZADD", due_of(queue), now, queue)
end

-- Ends the leases of calls whose replies were lost. Only an entry that was also taken before keeps its mark.
for index = 7, #ARGV do
  for _, member in ipairs(call("ZRANGE", key "held", 0, -1)) do
    local lost_token, its_mark, queue = string.match(member, "^(%S-)(!?) (.*)$")
    if lost_token == ARGV[index] then
      call("ZREM", key "held", member)
      if its_mark == "!" and call("HEXISTS", key "tries", queue) == 1 then call("HSET", key "marked", queue, "1") end
      call("ZADD", due_of(queue), now, queue)
    end
  end
end

local function records_of(queue)
  local names = {}
  if not string.find(queue, ":", 1, true) then
    for ending in string.gmatch(ARGV[6], "%S+") do names[#names + 1] = key("record:" .. queue .. ending) end
  end
  if #names == 0 then return "", "" end
  local lengths, values = "", call("MGET", unpack(names))
  for index, value in ipairs(values) do
    lengths = lengths .. (value and " " .. #value or " -")
    values[index] = value or ""
  end
  return lengths, table.concat(values)
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
      if item and not string.find(item, "^%d+ [^\n]*\n") then -- the item is damaged, or from another program
        item = whole(now + index) .. " \n" .. item
        call("LSET", queue_key(queue), 0, item)
      end
      if target and not item then
        call("HDEL", key "later", queue)
      elseif target then
        call("HDEL", key "later", queue)
        call("DEL", queue_key(queue))
        local name = string.match(item, "^%d+ ([^\n]*)")
        if name ~= "" then call("HSET", key "ids", name, target) end
        append(target, item, whole(now))
      elseif item and attempt > most and not marks[index] then
        make_dead(queue, attempt - 1, call("HGET", key "why", queue) or "its lease was over before it was handled")
      elseif item then
        count = count + 1
        local lengths, records = records_of(queue)
        taken[count] = string.format("%d %d %d %d%s\n", attempt, marks[index] and 1 or 0, #queue, #item, lengths)
          .. queue .. item .. records
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

local NEXT_DUE = script.HEAD .. FUNCTION_NEXT_DUE .. "return next_due()"

-- Reads the records that TAKE has read for an entry. `lengths` is the part of the entry's line with the lengths of the
-- records, and `position` is the position of the records in the reply. Returns the records by name, and the position
-- behind the records.
local function read_records(self, reply, queue, lengths, position)
  local known, index = {}, 0
  for length in lengths:gmatch "%S+" do
    index = index + 1
    local name, stop = queue .. self.beside[index], position + (tonumber(length) or 0)
    known[name] = length ~= "-" and reply:sub(position, stop - 1)
    position = stop
  end
  return known, position
end

-- Reads the reply of TAKE. Returns the leases, and the seconds until another entry is due.
local function read_leases(self, reply, token, mark)
  local due, position = reply:match "^([^\n]*)\n()"
  local marked_token = token .. "!"
  token = token .. mark
  local taken, last = {}, #reply
  while position <= last do
    local attempts, was_marked, queue_length, length, lengths, start =
      reply:match("^(%d+) (%d) (%d+) (%d+)([^\n]*)\n()", position)
    local item = start + tonumber(queue_length)
    local head_end, stop = reply:find("\n", item, true), item + tonumber(length)
    local queue, known = reply:sub(start, item - 1), nil
    position = stop
    if lengths ~= "" then known, position = read_records(self, reply, queue, lengths, stop) end
    was_marked = was_marked == "1" or nil
    taken[#taken + 1] = {
      token = was_marked and marked_token or token, queue = queue, attempts = tonumber(attempts), known = known,
      head = reply:sub(item, head_end - 1), body = reply:sub(head_end + 1, stop - 1), was_marked = was_marked,
    }
  end
  return taken, tonumber(due) or false
end

local function next_token(self)
  self.numbers = self.numbers + 1
  return self.owner .. ":" .. self.numbers
end

--- Replaces the token of TAKE before a second attempt. The token is the fifth word of the command. The old token
--- is appended to the tokens of calls whose replies were lost, which begin at the eleventh word.
function leases.repeated(commands)
  local words = commands.calls.taking
  words[#words + 1], words[5] = words[5], next_token(commands.calls.store)
end

local function failed(calls)
  local lost, words = calls.store.lost_tokens, calls.taking
  for index = 11, #words + 1 do lost[#lost + 1] = words[index] or words[5] end
end

--- Adds the script calls of one `take` to `calls`, for `script.run_all`. If the reply is lost, the next `take` ends the
--- leases of this call.
function leases.add_taking(self, calls, n, seconds, list, mark)
  if list and #list > 0 then
    calls[#calls + 1], calls.settled = { changes.SETTLE, changes.words(self, list) }, list
  end
  calls.store, calls.n, calls.mark, calls.repeated, calls.failed = self, n, mark and "!" or "", leases.repeated, failed
  calls.taking = script.words_of(self, next_token(self), ("%d"):format(n), script.microseconds(seconds),
    ("%.0f"):format(self.attempts), calls.mark, table.concat(self.beside, " "), unpack(self.lost_tokens))
  calls[#calls + 1], self.lost_tokens = { TAKE, calls.taking }, {}
end

--- Reads the replies to the calls that `add_taking` has added. Returns the results of `take`.
function leases.read_taken(calls, replies)
  local place = #calls
  if calls.settled then changes.mark_lost(calls.settled, replies[place - 1]) end
  local taken, due = read_leases(calls.store, replies[place], calls.taking[5], calls.mark)
  if #taken >= calls.n then return taken end
  return taken, due
end

function leases:take(n, seconds, list, mark)
  local ok, err = script.look(self)
  if not ok then return nil, err end
  local calls = {}
  leases.add_taking(self, calls, n, seconds, list, mark)
  local replies, failure = script.run_all(self, calls)
  if not replies then return nil, failure end
  return leases.read_taken(calls, replies)
end

function leases:following(lease, n)
  local replies, err = script.call(self, {
    { "LRANGE", self.prefix .. ":q:" .. lease.queue, "1", ("%d"):format(n) }, { "TIME" },
  })
  if not replies then return nil, err end
  local list, now = {}, replies[2][1] + replies[2][2] / 1e6
  for index, item in ipairs(replies[1]) do
    local id, _, body = script.parts_of_item(item)
    list[index] = { id = id, body = body, age = now - id / 1e6 }
  end
  return list, now - lease.head:match "^%d+" / 1e6
end

function leases:next_due() return tonumber((script.run(self, NEXT_DUE, script.words_of(self)))) end

return leases
