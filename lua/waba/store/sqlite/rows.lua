-- Counts, lists, changes and removes the entries and dead letters of the SQLite store.

local changes = require "waba.store.sqlite.changes"
local conversations = require "waba.store.sqlite.conversations"
local records = require "waba.store.sqlite.records"
local sqlite_connection = require "waba.store.sqlite.connection"

local is_marked = changes.is_marked
local escape, unescape = sqlite_connection.escape, sqlite_connection.unescape

local rows = {}

local COLUMNS = {
  [false] = [[SELECT seq * 1.0, conversation, seq / 1e6, attempts, reason, body, length(token) > 1 AND due > ?1,
    token FROM waba_entry]],
  [true] = "SELECT seq * 1.0, conversation, at, attempts, reason, body, ?1, NULL FROM waba_dead",
}

local function rows_of(self, dead, condition, ...)
  local list = self.database:rows(COLUMNS[dead] .. condition, self.database:now(), ...)
  for index, row in ipairs(list) do
    list[index] = {
      id = ("%.0f"):format(row[1]), conversation = unescape(row[2]), at = row[3], attempts = row[4],
      reason = unescape(row[5]), body = unescape(row[6]),
      state = dead and "dead" or row[7] == 1 and "taken" or "waiting", is_marked = is_marked(row[8]),
    }
  end
  return list
end

function rows:depth()
  return self.database:guarded(function() return self.database:value "SELECT count(*) FROM waba_entry" end)
end

function rows:oldest()
  return self.database:guarded(function() return self.database:value "SELECT min(seq) / 1e6 FROM waba_entry" end)
end

function rows:list(dead, n, after)
  local list, err = self.database:guarded(function()
    return rows_of(self, dead, " WHERE seq > ?2 ORDER BY seq LIMIT ?3", (tonumber(after) or -1) + 0.0, n)
  end)
  if not list then return nil, err end
  return list, #list == n and list[n] and list[n].id or nil
end

function rows:find(id)
  return self.database:guarded(function()
    return rows_of(self, false, " WHERE id = ?2", id)[1] or rows_of(self, true, " WHERE id = ?2 LIMIT 1", id)[1]
  end)
end

function rows:hasten(id)
  return self.database:transaction(function()
    self.database:run("UPDATE waba_entry SET due = ?1 WHERE id = ?2 AND later IS NOT NULL", self.database:now(), id)
    return true
  end)
end

-- Calls `change` with each row in one transaction. Returns the sum of the results.
local function sum_of(self, list, change)
  return self.database:transaction(function()
    local count, now = 0, self.database:now()
    for _, row in ipairs(list) do count = count + change(tonumber(row.id) + 0.0, now, row) end
    return count
  end)
end

function rows:revive(list)
  return sum_of(self, list, function(seq, now)
    local found = self.database:row("SELECT conversation, bulk, id, body FROM waba_dead WHERE seq = ?", seq)
    if not found then return 0 end
    local entry = { bulk = found[2] == 1, id = found[3], body = unescape(found[4]) }
    local conversation = unescape(found[1])
    -- the first lane, "", matches each conversation; a later match replaces the match of ""
    for _, lane in ipairs(conversation and self.lanes or {}) do
      if conversation:sub(1, #lane) == lane then entry.lane, entry.names = lane, { conversation:sub(#lane + 1) } end
    end
    conversations.append(self, { entry }, conversations.name_store(self, now), now)
    return self.database:run("DELETE FROM waba_dead WHERE seq = ?", seq)
  end)
end

function rows:drop(list)
  return sum_of(self, list, function(seq, now, row)
    if row.state == "dead" then return self.database:run("DELETE FROM waba_dead WHERE seq = ?", seq) end
    local sql = "DELETE FROM waba_entry WHERE seq = ? AND (token IS NULL OR length(token) = 1 OR due <= ?)"
    local removed
    if row.records then
      sql = sql .. " AND coalesce(substr(token, -1), '') <> '!' AND body = ?"
      removed = self.database:run(sql, seq, now, escape(row.body))
    else
      removed = self.database:run(sql, seq, now)
    end
    if removed > 0 then records.write_all(self, row.records, now) end
    return removed
  end)
end

return rows
