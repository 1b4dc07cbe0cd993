-- The records of the SQLite store, and the keys of its entries. The table `waba_record` has the records and the keys.

local sqlite_connection = require "waba.store.sqlite.connection"

local escape, unescape = sqlite_connection.escape, sqlite_connection.unescape
local unpack = table.unpack or unpack

local records = {}

local FOR_EVER = 1e15 -- the time of expiry of a record without a time limit
local LAST_NAME = ("\255"):rep(8)

local SET = "REPLACE INTO waba_record (name, value, until) VALUES (?1, ?2, ?3)"
local SET_NEW = "INSERT OR IGNORE INTO waba_record (name, value, until) VALUES (?1, ?2, ?3)"
local RAISE = [[INSERT INTO waba_record (name, value, until) VALUES (?1, ?2, ?3)
  ON CONFLICT (name) DO UPDATE SET value = excluded.value, until = excluded.until
  WHERE excluded.value > value OR until <= ?4]]
local ADD = [[INSERT INTO waba_record (name, value, until) VALUES (?1, CAST(?2 AS INTEGER), ?3)
  ON CONFLICT (name) DO UPDATE
  SET value = CASE WHEN until > ?4 THEN CAST(value + ?2 AS INTEGER) ELSE excluded.value END, until = excluded.until]]
local VALUE = "SELECT value FROM waba_record WHERE name = ? AND until > ?"

-- The number of names in VALUES. For fewer than FEW names, a statement for each name costs less than VALUES.
local NAMES, FEW = 16, 4
local VALUES = ("SELECT name, value FROM waba_record WHERE name IN (?%s) AND until > ?"):format((", ?"):rep(NAMES - 1))

--- Sets records. The list has the name, the value and the time of expiry of each record.
function records.set_all(self, list)
  self.database:insert(SET, 3, list, #list)
end

--- Writes the records of a change. `is_made` is false if the change was not made; then records with the field `add` are
--- not written. Most records are only appended to the list `sets`, which the caller must pass to `set_all`.
function records.write(self, list, now, is_made, sets)
  for index = 1, list and #list or 0 do
    local record, n = list[index], #sets
    local ends = record.seconds and now + record.seconds or FOR_EVER
    local name = record.of_key and "key:" .. record.name or record.name
    if record.add then
      if is_made ~= false then self.database:run(ADD, name, record.add, ends, now) end
    elseif record.value ~= nil and not record.rises then
      sets[n + 1], sets[n + 2], sets[n + 3] = name, escape(record.value), ends
    else
      records.set_all(self, sets) -- writes the earlier records now, because an earlier record may have the same name
      for at = n, 1, -1 do sets[at] = nil end
      if record.value == nil then
        self.database:run("DELETE FROM waba_record WHERE name = ?", name)
      else
        self.database:run(RAISE, name, escape(record.value), ends, now)
      end
    end
  end
end

function records.write_all(self, list, now)
  local sets = {}
  records.write(self, list, now, true, sets)
  records.set_all(self, sets)
end

--- Removes expired records after each hundred stored entries. For each stored entry, four records are checked in the
--- order of their names. The next check continues behind the last checked name, and begins again after the last name.
--- Therefore the table needs no index by time, and at most about a quarter of the records have expired.
function records.forget_old(self, now, stored)
  self.since_forgetting = self.since_forgetting + stored
  if self.since_forgetting < 100 then return end
  local n = 4 * self.since_forgetting
  local last = self.database:value([[SELECT max(name) FROM
    (SELECT name FROM waba_record WHERE name > ? ORDER BY name LIMIT ?)]], self.forgotten, n)
  self.database:run("DELETE FROM waba_record WHERE name > ? AND name <= ? AND until <= ?", self.forgotten,
    last or LAST_NAME, now)
  self.forgotten, self.since_forgetting = last or "", 0
end

function records.is_known(self, entry, now)
  if not entry.key then return false end
  local name = "key:" .. entry.key
  local added = self.database:run([[INSERT INTO waba_record (name, value, until) VALUES (?1, ?2, ?3)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value, until = excluded.until WHERE until <= ?4]],
    name, escape(entry.value) or "", now + self.remember, now)
  if added > 0 then return false end
  if entry.value then entry.known = unescape(self.database:value(VALUE, name, now)) end
  return true
end

--- Records the keys of several entries. If one of the keys is already recorded, the transaction begins again. Returns
--- false if the caller must call `is_known` for each entry instead.
function records.are_new(self, entries, now)
  local list, size, is_careful = {}, 0, self.has_known
  self.has_known = false
  if #entries < FEW or is_careful then return false end
  for index = 1, #entries do
    local entry = entries[index]
    if entry.key then
      list[size + 1], list[size + 2] = "key:" .. entry.key, escape(entry.value) or ""
      list[size + 3], size = now + self.remember, size + 3
    end
  end
  if self.database:insert(SET_NEW, 3, list, size) == size / 3 then return true end
  self.has_known = true
  return self.database:begin_again()
end

--- Returns the index of the first entry whose key is already recorded with a different value.
function records.find_conflict(self, entries, now)
  for index, entry in ipairs(entries) do
    local value = entry.same and unescape(self.database:value(VALUE, "key:" .. entry.key, now))
    if value and value:sub(1, entry.same) ~= entry.value:sub(1, entry.same) then return index end
  end
end

function records:get(name)
  return self.database:guarded(function()
    return unescape(self.database:value(VALUE, name, self.database:now()))
  end)
end

function records:get_all(list)
  return self.database:guarded(function()
    local found, now = {}, self.database:now()
    if #list < FEW then
      for _, name in ipairs(list) do found[name] = unescape(self.database:value(VALUE, name, now)) end
      return found
    end
    for first = 1, #list, NAMES do
      local names = { unpack(list, first, first + NAMES - 1) }
      for index = #names + 1, NAMES do names[index] = names[1] end
      names[NAMES + 1] = now
      for _, row in ipairs(self.database:rows(VALUES, unpack(names))) do found[row[1]] = unescape(row[2]) end
    end
    return found
  end)
end

function records:record_names(prefix, n, after)
  local rows, err = self.database:guarded(function()
    return self.database:rows([[SELECT name FROM waba_record WHERE name >= ?1 AND name > ?2 AND name < ?3 AND until > ?4
      ORDER BY name LIMIT ?5]], prefix, after or "", prefix .. "\255", self.database:now(), n)
  end)
  if not rows then return nil, err end
  for index, row in ipairs(rows) do rows[index] = row[1] end
  return rows, #rows == n and rows[n] or nil
end

return records
