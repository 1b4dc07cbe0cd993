-- The leases of the SQLite store: the methods `take`, `following` and `next_due`.

local changes = require "waba.store.sqlite.changes"
local core = require "waba.core"
local owner = require "waba.store.owner"
local sqlite_connection = require "waba.store.sqlite.connection"

local unescape = sqlite_connection.unescape
local is_marked, make_dead, ENTRIES, MARK = changes.is_marked, changes.make_dead, changes.ENTRIES, changes.MARK

local leases = {}

local LOOK = 5 -- the seconds between two searches for leases of processes that have ended
local FOR_EVER = 1e15
local LEASE_OVER = "its lease was over before it was handled"
local LEASE = "UPDATE waba_entry SET attempts = attempts + 1, token = ?17, due = ?18 WHERE seq IN " .. changes.LIST
local LEASE_ONE = "UPDATE waba_entry SET attempts = attempts + 1, token = ?, due = ? WHERE seq = ?"

local function arrive(self, seq, later, now)
  self.database:run([[UPDATE waba_entry SET later = NULL, conversation = ?2, due = ?3,
    head = NOT EXISTS (SELECT 1 FROM waba_entry WHERE conversation = ?2) WHERE seq = ?1]], seq,
    later ~= "" and later or nil, now)
end

local DUE = [[SELECT seq * 1.0, attempts, reason, later, body, token FROM waba_entry
  WHERE head = 1 AND bulk = ? AND due <= ? ORDER BY due LIMIT ?]]

local NEXT_DUE = ([[SELECT min(
  coalesce((SELECT min(due) FROM waba_entry WHERE head = 1 AND bulk = 0), %.1f),
  coalesce((SELECT min(due) FROM waba_entry WHERE head = 1 AND bulk = 1), %.1f))]]):format(FOR_EVER, FOR_EVER)

local function write_leases(self, seqs, token, due)
  local run, database = self.database.run, self.database
  if #seqs < changes.FEW then
    for _, seq in ipairs(seqs) do run(database, LEASE_ONE, token, due, seq) end
  else
    for first = 1, #seqs, ENTRIES do run(database, LEASE, changes.parameters(seqs, first, token, due)) end
  end
end

-- Returns the rows of at most n entries that are due. One query for both values of `bulk` would make a temporary table.
local function due_rows(self, now, n)
  local rows = self.database:rows(DUE, 0, now, n)
  local bulk = #rows < n and self.database:rows(DUE, 1, now, n - #rows) or {}
  for index = 1, #bulk do rows[#rows + 1] = bulk[index] end
  return rows
end

-- Leases the entries of due rows. Returns whether other entries may now be due.
local function lease_rows(self, rows, seconds, now, taken, mark)
  self.numbers = self.numbers + 1
  local token, marked, plain = self.owner .. ":" .. self.numbers, {}, {}
  local marked_token = token .. MARK
  for index = 1, #rows do
    local row = rows[index]
    local seq, attempts, later = row[1], row[2], row[4]
    local was_marked = is_marked(row[6])
    if later then
      arrive(self, seq, later, now)
    elseif attempts >= self.attempts and not was_marked then
      make_dead(self, seq, row[3] or LEASE_OVER, now)
      taken.died = (taken.died or 0) + 1
    else
      local list = (mark or was_marked) and marked or plain
      list[#list + 1] = seq
      taken[#taken + 1] = {
        seq = seq, token = list == marked and marked_token or token, attempts = attempts + 1, body = unescape(row[5]),
        was_marked = was_marked,
      }
    end
  end
  write_leases(self, marked, marked_token, now + seconds)
  write_leases(self, plain, token, now + seconds)
  return #marked + #plain < #rows
end

--- Ends the leases of processes that have ended, at most once in LOOK seconds.
function leases.free_ended(self)
  if core.clock() < self.look_at then return end
  self.look_at = core.clock() + LOOK
  local ended = {}
  local owners = self.database:guarded(function() return self.database:rows "SELECT name FROM waba_owner" end)
  for _, row in ipairs(owners or {}) do
    if owner.has_ended(row[1], true) then ended[#ended + 1] = row[1] end
  end
  if #ended == 0 and self.is_registered then return end
  self.database:transaction(function()
    for _, name in ipairs(ended) do
      self.database:run([[UPDATE waba_entry SET due = ?1, token = CASE substr(token, -1) WHEN '!' THEN '!' END
        WHERE head = 1 AND substr(token, 1, ?2) = ?3]], self.database:now(), #name + 1, name .. ":")
      self.database:run("DELETE FROM waba_owner WHERE name = ?", name)
    end
    self.database:run("INSERT OR IGNORE INTO waba_owner (name) VALUES (?)", self.owner)
    self.is_registered = true
    return true
  end)
end

function leases:following(taken, n)
  return self.database:guarded(function()
    local list = self.database:rows([[SELECT seq * 1.0, body FROM waba_entry WHERE attempts = 0 AND conversation =
      (SELECT conversation FROM waba_entry WHERE seq = ?1 AND token = ?2) ORDER BY seq LIMIT ?3]], taken.seq,
      taken.token, n)
    local now = self.database:now()
    for index, row in ipairs(list) do
      list[index] = { seq = row[1], body = unescape(row[2]), age = now - row[1] / 1e6 }
    end
    return list, now - taken.seq / 1e6
  end)
end

local function next_due(self, now)
  local due = self.database:value(NEXT_DUE)
  return due < FOR_EVER and math.max(0, due - now) or nil
end

--- Makes changes and leases entries within a transaction. Returns the results of `take`.
function leases.lease(self, n, seconds, list, now, mark)
  local taken = {}
  changes.make(self, list, now)
  repeat
    local rows = #taken < n and due_rows(self, now, n - #taken) or {}
  until #rows == 0 or not lease_rows(self, rows, seconds, now, taken, mark)
  if #taken >= n then return taken end
  return taken, next_due(self, now) or false
end

function leases:take(n, seconds, list, mark)
  local database = self.database
  leases.free_ended(self)
  if not list or #list == 0 then -- an idle worker does not take the lock for writing
    local found, failure = database:guarded(function() return next_due(self, database:now()) or false end)
    if found == nil then return nil, failure end
    if found ~= 0 then return {}, found end
  end
  return database:transaction(function()
    return leases.lease(self, n, seconds, list or {}, database:now(), mark)
  end, mark and self.sync or nil)
end

function leases:next_due()
  return (self.database:guarded(function() return next_due(self, self.database:now()) end))
end

return leases
