-- The method `settle` of the SQLite store, which changes taken entries.

local records = require "waba.store.sqlite.records"
local sqlite_connection = require "waba.store.sqlite.connection"

local escape = sqlite_connection.escape
local unpack = table.unpack or unpack

local changes = {}

changes.ENTRIES = 16 -- the largest number of entries in one statement
--- For FEW or more entries, one statement with the parameters LIST costs less than a statement for each entry.
changes.FEW, changes.LIST = 4, "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"
local ENTRIES = changes.ENTRIES
local REMOVE = "DELETE FROM waba_entry WHERE token = ?17 AND seq IN " .. changes.LIST
local NONE = -1 -- a `seq` that no entry has

--- Returns the parameters of a statement with LIST: `seqs` from the index `first` on, then `token` and `due`.
function changes.parameters(seqs, first, token, due)
  local list = { unpack(seqs, first, first + ENTRIES - 1) }
  for index = #list + 1, ENTRIES do list[index] = NONE end
  list[ENTRIES + 1], list[ENTRIES + 2] = token, due
  return unpack(list)
end

function changes.make_dead(self, seq, reason, now, attempts)
  self.database:run([[INSERT INTO waba_dead (seq, conversation, bulk, id, attempts, at, reason, body)
    SELECT seq, conversation, bulk, id, coalesce(?4, attempts), ?2, ?3, body FROM waba_entry WHERE seq = ?1]], seq, now,
    reason, attempts)
  self.database:run("DELETE FROM waba_entry WHERE seq = ?", seq)
end

-- The token of a lease with a mark ends with MARK. The token of an entry with a mark but without a lease is MARK alone.
local MARK = "!"
changes.MARK = MARK

function changes.is_marked(token) return token ~= nil and token:sub(-1) == MARK or nil end

-- Makes one change. Returns whether the lease was valid. If the lease was not valid and `done` is "always", the second
-- result is whether the entry was removed.
local function settle(self, change, now)
  local database, seq, token = self.database, change.lease.seq, change.lease.token
  local before = change.lease.was_marked and MARK or nil
  if change.done then
    local is_held = database:run("DELETE FROM waba_entry WHERE seq = ? AND token = ?", seq, token) > 0
    for _, other in ipairs(is_held and change.following or {}) do
      database:run("DELETE FROM waba_entry WHERE seq = ?", other.seq)
    end
    if is_held or change.done ~= "always" then return is_held end
    local removed = database:run("DELETE FROM waba_entry WHERE seq = ?", seq)
    return false, removed + database:run("DELETE FROM waba_dead WHERE seq = ?", seq) > 0
  elseif change.dead then
    local is_held = database:value("SELECT 1 FROM waba_entry WHERE seq = ? AND token = ?", seq, token)
    if is_held then changes.make_dead(self, seq, escape(change.reason), now) end
    for _, other in ipairs(is_held and change.following or {}) do
      changes.make_dead(self, other.seq, escape(change.reason), now, change.lease.attempts)
    end
    return is_held ~= nil
  elseif change.extend then
    local new = token
    if change.mark ~= nil then new = token:gsub(MARK .. "$", "") .. (change.mark and MARK or "") end
    local sql = "UPDATE waba_entry SET due = ?, token = ? WHERE seq = ? AND token = ?"
    local is_held = database:run(sql, now + change.extend, new, seq, token) > 0
    if is_held then change.lease.token = new end
    return is_held
  elseif change.later then
    local sql = [[UPDATE waba_entry SET token = NULL, attempts = 0, due = ?, body = ?, head = 1,
      later = coalesce(conversation, ''), conversation = NULL WHERE seq = ? AND token = ?]]
    return database:run(sql, now + change.later, escape(change.body), seq, token) > 0
  elseif change.release then
    local sql = [[UPDATE waba_entry SET token = ?4, due = coalesce(?3, min(due, seq / 1e6)), attempts = attempts - 1
      WHERE seq = ?1 AND token = ?2]]
    return database:run(sql, seq, token, change.delay and now + change.delay, before) > 0
  end
  return database:run("UPDATE waba_entry SET token = ?, due = ?, reason = ? WHERE seq = ? AND token = ?",
    before, now + change.delay, escape(change.reason), seq, token) > 0
end

-- Returns the changes that only remove an entry, in lists of at most ENTRIES changes whose leases have the same token.
local function groups_of(list)
  local groups, by_token = {}, {}
  for index = 1, #list do
    local change = list[index]
    local token = change.lease.token
    local group = by_token[token]
    if change.done and not change.following then
      if not group or #group == ENTRIES then
        group = {}
        by_token[token], groups[#groups + 1] = group, group
      end
      group[#group + 1] = change
    end
  end
  return groups
end

-- Removes the entries of lists with FEW or more changes. Returns the set of these changes. If the lease of an entry is
-- not valid, the transaction begins again, and makes each change in a statement of its own.
local function remove_groups(self, list)
  local removed, is_careful = {}, self.is_careful
  self.is_careful = false
  for _, group in ipairs(not is_careful and #list >= changes.FEW and groups_of(list) or {}) do
    if #group >= changes.FEW then
      local seqs = {}
      for index, change in ipairs(group) do seqs[index], removed[change] = change.lease.seq, true end
      if self.database:run(REMOVE, changes.parameters(seqs, 1, group[1].lease.token)) < #group then
        self.is_careful = true
        self.database:begin_again()
      end
    end
  end
  return removed
end

--- Makes changes within a transaction. Returns the number of valid leases.
function changes.make(self, list, now)
  local held, sets, removed = 0, {}, remove_groups(self, list)
  for index = 1, #list do
    local change, is_held, is_removed = list[index], true, nil
    if not removed[change] then is_held, is_removed = settle(self, change, now) end
    change.lost = not is_held
    if is_held then held = held + 1 end
    if is_held or change.done == "always" then
      records.write(self, change.records, now, is_held or is_removed, sets)
    end
  end
  records.set_all(self, sets)
  return held
end

function changes:settle(list, more_records, to_disk)
  if #list == 0 and not more_records then return 0 end
  return self.database:transaction(function()
    local now = self.database:now()
    local held = changes.make(self, list, now)
    records.write_all(self, more_records, now)
    return held
  end, to_disk and self.sync)
end

return changes
