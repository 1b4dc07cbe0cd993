-- Runs the script of exchange_code.lua for the methods `put`, `settle` and `take`.

local SCRIPT = require "waba.store.redis.exchange_code"
local core = require "waba.core"
local names = require "waba.store.names"
local records = require "waba.store.redis.records"
local script = require "waba.store.redis.script"

local exchange = {}

-- The places of two arguments in the list of words: "again" or "", and the number of arguments of the records.
local AGAIN, RECORDS = 5, 8

local function add_entries(self, words, entries)
  local n = #words
  words[n + 1], words[n + 2] = script.milliseconds(self.remember), script.milliseconds(names.REMEMBER)
  script.add_lanes(self, words)
  n = #words
  for index = 1, #entries do
    local entry = entries[index]
    local own = entry.names
    local names_count = own and #own or 0
    words[n + 1], words[n + 2] = entry.key or "", entry.value or ""
    words[n + 3] = entry.same and tostring(entry.same) or "0"
    words[n + 4], words[n + 5] = entry.lane or "", entry.bulk and "bulk" or ""
    words[n + 6], words[n + 7] = entry.at and script.microseconds(entry.at) or "", entry.id or ""
    words[n + 8] = tostring(names_count)
    for place = 1, names_count do words[n + 8 + place] = own[place] end
    n = n + 9 + names_count
    words[n] = entry.body
  end
end

-- Returns the kind, the seconds (or nil), and the reason or the body of a change.
local function parts_of(change)
  if change.done then return change.done end
  if change.extend then return "extend", change.extend end
  if change.later then return "later", change.later, change.body end
  if change.dead then return "dead", nil, change.reason end
  if change.release then return "release", change.delay end
  return "delay", change.delay, change.reason
end

-- Returns the token of a lease after a change. The token of a lease with a mark ends with "!".
local function token_of(change)
  if change.mark == nil then return change.lease.token end
  return change.lease.token:gsub("!$", "") .. (change.mark and "!" or "")
end

-- Returns whether an entry has a mark after a change.
local function is_marked(change)
  if change.extend then return token_of(change):sub(-1) == "!" end
  return change.lease.was_marked
end

local function add_changes(words, list)
  local n = #words
  for index = 1, #list do
    local change = list[index]
    local lease, what, seconds, text = change.lease, parts_of(change)
    if not change.done and is_marked(change) then what = what .. "!" end
    words[n + 1], words[n + 2], words[n + 3] = what, lease.token, lease.queue
    words[n + 4] = lease.attempts == 1 and "1" or ("%d"):format(lease.attempts)
    words[n + 5], words[n + 6], words[n + 7] = lease.head, seconds and ("%.6f"):format(seconds) or "", text or ""
    if change.following then
      local ids = {}
      for at, other in ipairs(change.following) do ids[at] = other.id end
      words[n + 6] = table.concat(ids, " ")
    end
    n = n + 7
  end
end

local function next_token(self)
  self.numbers = self.numbers + 1
  return script.owner_of(self) .. ":" .. self.numbers
end

-- Appends the arguments for the leases. The tokens of earlier calls whose replies were lost are the last words.
local function add_taking(self, words, seconds, mark)
  local n, lost = #words, self.lost_tokens
  words[n + 1], words[n + 2] = next_token(self), script.microseconds(seconds)
  words[n + 3], words[n + 4] = ("%.0f"):format(self.attempts), mark and "!" or ""
  words[n + 5] = table.concat(self.beside, " ")
  for index = 1, #lost do words[n + 5 + index] = lost[index] end
  self.lost_tokens = {}
  return n + 1
end

-- Changes the words before a further attempt, because Redis may have run the script.
local function repeated(commands)
  local words, place = commands[1], commands.token_place
  words[AGAIN] = "again"
  if place then words[#words + 1], words[place] = words[place], next_token(commands.store) end
end

-- Keeps the tokens of a call that was refused, or whose reply was lost. The next call ends the leases. The second word
-- is empty if the call was not sent; then its own token has no leases.
local function keep_tokens(self, words, place)
  local lost = self.lost_tokens
  if words[2] ~= "" then lost[#lost + 1] = words[place] end
  for index = place + 5, #words do lost[#lost + 1] = words[index] end
end

-- Sets the field `lost` of each change. `states` is the second part of the reply.
local function mark_lost(list, states)
  local held = 0
  for index = 1, #list do
    local change = list[index]
    change.lost = states ~= "" and states:sub(index, index) == "0"
    if not change.lost then
      held = held + 1
      if change.mark ~= nil then change.lease.token = token_of(change) end
    end
  end
  return held
end

local NONE = {}

--- Stores entries, makes changes, writes records, and takes n entries. Returns the parts of the script's reply, which
--- exchange_code.lua describes, and the number of leases of changes that had not expired; or nil and an error. With n,
--- the field `token` of the parts is the token of the leases.
---@param entries waba.StoreEntry[]|nil
---@param list waba.StoreChange[]|nil
---@param more_records waba.StoreRecord[]|nil
---@param n? integer
---@param seconds? number  with n: the length of the leases
---@param mark? boolean    with n: true: the leases get a mark
function exchange.run(self, entries, list, more_records, n, seconds, mark)
  entries, list = entries or NONE, list or NONE
  local words = {
    "EVALSHA", "", "1", self.prefix, "", tostring(#entries), tostring(#list), "0", n and ("%d"):format(n) or "0",
  }
  if entries[1] then add_entries(self, words, entries) end
  add_changes(words, list)
  local size = #words
  for index = 1, #list do records.add(words, list[index].records, index, list[index].done == "always") end
  records.add(words, more_records)
  words[RECORDS] = tostring(#words - size)
  local place = n and add_taking(self, words, seconds, mark)
  local reply, err = script.run(self, SCRIPT, words, { repeated = repeated, token_place = place, store = self })
  local parts = type(reply) == "string" and core.redis_parts(reply)
  if place and not (parts and parts[1]) then keep_tokens(self, words, place) end
  if not parts then
    if err then return nil, err end
    return script.not_redis(self)
  end
  parts.token = place and words[place]
  return parts, parts[1] and mark_lost(list, parts[2])
end

return exchange
