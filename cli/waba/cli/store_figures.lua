-- Reads from the store of an inbox or an outbox the numbers of entries, the conversations, the errors and the rates.

local core = require "waba.core"
local entries = require "waba.outbox.entry"

local PAGE = 200 -- the largest number of rows that one call of `store:list` returns
local MOST = 1000 -- after this number of rows, no further rows are read
local MINUTE = 60 -- the rates are computed over this number of seconds

local Figures = {}
Figures.__index = Figures

---@class waba.cli.StoreLook
---@field depth integer       entries that wait, and entries that are taken
---@field oldest number?      Unix time at which the oldest entry was added
---@field is_cut boolean      true: not all entries were read, so the fields below describe only the first entries
---@field taken integer       entries whose lease has not ended
---@field failed integer      entries that wait for another attempt
---@field scheduled integer   entries that wait for their scheduled time (outbox)
---@field dead integer        dead letters
---@field dead_is_cut boolean  true: there are further dead letters
---@field conversations { name: string, entries: integer, taken: boolean, oldest: number, attempts: integer, reason: string? }[]
---@field errors { reason: string, to_retry: integer, dead: integer, latest: number }[]
---@field came number?        new entries per second; nil in the first snapshot and if `is_cut` is true
---@field left number?        removed entries per second; nil in the first snapshot and if `is_cut` is true

-- Returns the first rows of the store, about MOST rows, and whether the store has more rows.
local function read_rows(store, dead)
  local list, after = {}, nil
  repeat
    local rows, next_page = store:list(dead, PAGE, after)
    if not rows then return nil, next_page end
    for _, row in ipairs(rows) do list[#list + 1] = row end
    after = next_page
  until not after or #list >= MOST
  return list, after ~= nil
end

local function add_conversation(by_name, list, row)
  if not row.conversation then return end
  local name = row.conversation:match "^ ?(.*)$" -- in an outbox of one number, names begin with a blank
  local found = by_name[name]
  if not found then
    found = { name = name, entries = 0, taken = false, oldest = row.at, attempts = 0 }
    by_name[name], list[#list + 1] = found, found
  end
  found.entries = found.entries + 1
  found.taken = found.taken or row.state == "taken"
  found.oldest, found.attempts = math.min(found.oldest, row.at), math.max(found.attempts, row.attempts)
  found.reason = found.reason or row.reason
end

local function add_error(by_reason, list, row)
  if not row.reason then return end
  local found = by_reason[row.reason]
  if not found then
    found = { reason = row.reason, to_retry = 0, dead = 0, latest = row.at }
    by_reason[row.reason], list[#list + 1] = found, found
  end
  local name = row.state == "dead" and "dead" or "to_retry"
  found[name], found.latest = found[name] + 1, math.max(found.latest, row.at)
end

local function is_scheduled(row, now)
  local entry = entries.decode(row.body)
  return entry ~= nil and type(entry.at) == "number" and entry.at > now
end

local function summarise(self, look, rows, dead)
  local names, reasons, now = {}, {}, os.time()
  for _, row in ipairs(rows) do
    if row.state == "taken" then look.taken = look.taken + 1
    elseif row.reason then look.failed = look.failed + 1
    elseif self.is_outbox and is_scheduled(row, now) then look.scheduled = look.scheduled + 1 end
    add_conversation(names, look.conversations, row)
    add_error(reasons, look.errors, row)
  end
  for _, row in ipairs(dead) do add_error(reasons, look.errors, row) end
  -- the store in Redis lists at most PAGE entries of one conversation
  for _, one in ipairs(look.conversations) do look.is_cut = look.is_cut or one.entries >= PAGE end
  table.sort(look.conversations, function(a, b)
    if a.entries ~= b.entries then return a.entries > b.entries end
    return a.oldest < b.oldest or a.oldest == b.oldest and a.name < b.name
  end)
  table.sort(look.errors, function(a, b)
    local of_a, of_b = a.to_retry + a.dead, b.to_retry + b.dead
    return of_a > of_b or of_a == of_b and a.reason < b.reason
  end)
end

local function count_absent(ids, others)
  local count = 0
  for id in pairs(ids) do
    if not others[id] then count = count + 1 end
  end
  return count
end

-- Adds the rates of entries that came and left, from the differences between the snapshots of the last minute. An entry
-- that came and left between two snapshots is not counted.
local function add_rates(self, look, rows)
  local ids, now = not look.is_cut and {} or nil, core.clock()
  for _, row in ipairs(ids and rows or {}) do ids[row.id] = true end
  if not ids or not self.ids then self.steps = {} end
  if ids and self.ids then
    self.steps[#self.steps + 1] = {
      from = self.at, came = count_absent(ids, self.ids), left = count_absent(self.ids, ids),
    }
    while now - self.steps[1].from > MINUTE and self.steps[2] do table.remove(self.steps, 1) end
    local came, left = 0, 0
    for _, step in ipairs(self.steps) do came, left = came + step.came, left + step.left end
    local seconds = now - self.steps[1].from
    if seconds > 0 then look.came, look.left = came / seconds, left / seconds end
  end
  self.ids, self.at = ids, now
end

---@return waba.cli.StoreLook|nil
---@return waba.Error? err
function Figures:look()
  local box = self.box
  local depth, err = box:depth()
  if not depth then return nil, err end
  local oldest, failure = box:oldest()
  if failure then return nil, failure end
  local rows, is_cut = read_rows(box.store, false)
  if not rows then return nil, is_cut end
  local dead, dead_is_cut = read_rows(box.store, true)
  if not dead then return nil, dead_is_cut end
  local look = {
    depth = depth, oldest = oldest, is_cut = is_cut, taken = 0, failed = 0, scheduled = 0, dead = #dead,
    dead_is_cut = dead_is_cut, conversations = {}, errors = {},
  }
  summarise(self, look, rows, dead)
  add_rates(self, look, rows)
  return look
end

return function(box, is_outbox)
  return setmetatable({ box = box, is_outbox = is_outbox, steps = {} }, Figures)
end
