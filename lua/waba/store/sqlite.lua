-- The store in one SQLite file. The entries survive the end of the process at any moment, and several processes of
-- one machine may share the file. contract.lua describes the methods, and sqlite_file.lua the tables.

local core = require "waba.core"
local names = require "waba.store.names"
local owner = require "waba.store.owner"
local sqlite_connection = require "waba.store.sqlite_connection"

---@class waba.SqliteStore : waba.Store
local Sqlite = {}
Sqlite.__index = Sqlite
Sqlite.__name = "waba.store.sqlite"
Sqlite.durable, Sqlite.grouped = true, true

-- `seq` is read and bound as a float, because LuaDBI 0.7 cuts integers to 32 bits.
local LEASE_OVER = "its lease was over before it was handled"
local FOR_EVER = 1e15
local LAST_NAME = ("\255"):rep(8)

local SET = "REPLACE INTO waba_record (name, value, until) VALUES (?, ?, ?)"
local RAISE = [[INSERT INTO waba_record (name, value, until) VALUES (?1, ?2, ?3)
  ON CONFLICT (name) DO UPDATE SET value = excluded.value, until = excluded.until
  WHERE excluded.value > value OR until <= ?4]]
local ADD = [[INSERT INTO waba_record (name, value, until) VALUES (?1, CAST(?2 AS INTEGER), ?3)
  ON CONFLICT (name) DO UPDATE
  SET value = CASE WHEN until > ?4 THEN CAST(value + ?2 AS INTEGER) ELSE excluded.value END, until = excluded.until]]
local VALUE = "SELECT value FROM waba_record WHERE name = ? AND until > ?"

-- Seconds between two searches for processes that have ended.
local LOOK = 5

local unpack = table.unpack or unpack -- luacheck: ignore 143

-- LuaDBI 0.7 cuts a value that it reads at the first NUL byte.
local function escape(text)
  if not text or not text:find "[%z\1]" then return text end
  return (text:gsub("[%z\1]", { ["\0"] = "\1z", ["\1"] = "\1\1" }))
end

local function unescape(text)
  if not text or not text:find("\1", 1, true) then return text end
  return (text:gsub("\1(.)", { z = "\0", ["\1"] = "\1" }))
end

-- Statements for several rows ---------------------------------------------------------------------

-- ENTRIES is the number of entries in one statement; they are its parameters ?1 to ?16. ROWS is the number of rows in
-- one SET_SEVERAL.
local ENTRIES, ROWS = 16, 8
-- For at least this number of entries, one statement with ENTRIES parameters costs less than a statement for each
-- entry.
local FEW = 4
local LIST = "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"
local LEASE = "UPDATE waba_entry SET attempts = attempts + 1, token = ?17, due = ?18 WHERE seq IN " .. LIST
local ARE_HELD = "SELECT count(*) FROM waba_entry WHERE token = ?17 AND seq IN " .. LIST
local REMOVE = "DELETE FROM waba_entry WHERE seq IN " .. LIST
local SET_SEVERAL = SET .. (", (?, ?, ?)"):rep(ROWS - 1)
local NONE = -1 -- no entry has this `seq`

-- Runs a statement for entries; one statement takes up to ENTRIES of them.
local function run_for_all(self, sql, seqs, ...)
  for first = 1, #seqs, ENTRIES do
    local list = { unpack(seqs, first, first + ENTRIES - 1) }
    for index = #list + 1, ENTRIES do list[index] = NONE end
    for index = 1, select("#", ...) do list[ENTRIES + index] = (select(index, ...)) end
    self.database:run(sql, unpack(list))
  end
end

-- Writes records. The list has the name, the value and the time of expiry of each record.
local function set_all(self, list)
  local position, last = 1, #list
  while position + 3 * ROWS - 1 <= last do
    self.database:run(SET_SEVERAL, unpack(list, position, position + 3 * ROWS - 1))
    position = position + 3 * ROWS
  end
  for at = position, last, 3 do self.database:run(SET, list[at], list[at + 1], list[at + 2]) end
end

-- Putting -----------------------------------------------------------------------------------------

-- The functions of this store that names.lua calls; the entries of one `put` share the names that were read.
local function name_store(self, now)
  local database, store = self.database, {}
  local known, is_fresh = {}, {} -- for each name, the name to which it refers, or false; and the names whose rows are
                                 -- up to date

  function store.next(name)
    if known[name] == nil then
      local row = database:rows("SELECT value, until FROM waba_record WHERE name = ?", name .. ":name")[1]
      known[name] = row and row[2] > now and unescape(row[1]) or false
      is_fresh[name] = row and row[2] > now + names.REMEMBER / 2
    end
    return known[name] or nil
  end

  function store.remember(name, root)
    if known[name] == root and is_fresh[name] then return end
    known[name], is_fresh[name] = root, true
    database:run(SET, name .. ":name", escape(root), now + names.REMEMBER)
  end

  function store.is_begun(root)
    for _, lane in ipairs(self.lanes) do
      local sql = "SELECT 1 FROM waba_entry WHERE conversation = ? AND attempts > 0"
      if database:value(sql, escape(lane .. root)) then return true end
    end
    return false
  end

  function store.merge(from, to)
    for _, lane in ipairs(self.lanes) do
      local old, new = escape(lane .. from), escape(lane .. to)
      local moved = database:run(
        "UPDATE waba_entry SET conversation = ?, head = 0 WHERE conversation = ? AND attempts = 0", new, old)
      if moved > 0 then
        -- the oldest entry is the first one, unless another entry was taken before
        database:run("UPDATE waba_entry SET head = 0 WHERE conversation = ? AND attempts = 0", new)
        database:run([[UPDATE waba_entry SET head = 1 WHERE seq = (SELECT min(seq) FROM waba_entry
          WHERE conversation = ?1 AND NOT EXISTS (SELECT 1 FROM waba_entry WHERE conversation = ?1 AND head = 1))]],
          new)
      end
    end
  end

  return store
end

-- Stores an entry behind the other entries of its conversation; until the time `at` it does not belong to the
-- conversation.
local function append(self, entry, store, now)
  local root = entry.names and names.join(store, entry.names)
  local conversation, later = root and escape((entry.lane or "") .. root), nil
  if entry.at then conversation, later = nil, conversation or "" end
  self.database:run([[INSERT INTO waba_entry (seq, conversation, head, bulk, due, id, later, body)
    VALUES (max(?1, coalesce((SELECT max(seq) + 1 FROM waba_entry), 0)), ?2,
      NOT EXISTS (SELECT 1 FROM waba_entry WHERE conversation = ?2), ?3, ?4, ?5, ?6, ?7)]],
    now * 1e6 - now * 1e6 % 1, conversation, entry.bulk and 1 or 0, entry.at or now, entry.id, later,
    escape(entry.body))
end

-- If `is_made` is false, the records with `add` are not written. `sets` is the list for `set_all`.
local function write(self, records, now, is_made, sets)
  for _, record in ipairs(records or {}) do
    local ends = record.seconds and now + record.seconds or FOR_EVER
    local name, n = record.of_key and "key:" .. record.name or record.name, #sets
    if record.add then
      if is_made ~= false then self.database:run(ADD, name, record.add, ends, now) end
    elseif record.value ~= nil and not record.rises then
      sets[n + 1], sets[n + 2], sets[n + 3] = name, escape(record.value), ends
    else
      set_all(self, sets) -- the list may have a record of the same name, which must be written first
      for index = n, 1, -1 do sets[index] = nil end
      if record.value == nil then
        self.database:run("DELETE FROM waba_record WHERE name = ?", name)
      else
        self.database:run(RAISE, name, escape(record.value), ends, now)
      end
    end
  end
end

local function write_all(self, records, now)
  local sets = {}
  write(self, records, now, true, sets)
  set_all(self, sets)
end

-- Removes expired records after each hundred stored entries. For each of these entries it checks four records. It
-- continues where the previous check ended, in the order of the names, and begins again after the last name. This needs
-- no index by time. At most about a quarter of the records are expired ones.
local function forget_old(self, now, stored)
  self.since_forgetting = self.since_forgetting + stored
  if self.since_forgetting < 100 then return end
  local n = 4 * self.since_forgetting
  local last = self.database:value([[SELECT max(name) FROM
    (SELECT name FROM waba_record WHERE name > ? ORDER BY name LIMIT ?)]], self.forgotten, n)
  self.database:run("DELETE FROM waba_record WHERE name > ? AND name <= ? AND until <= ?", self.forgotten,
    last or LAST_NAME, now)
  self.forgotten, self.since_forgetting = last or "", 0
end

-- Returns whether an entry's key is known, and records the key.
local function is_known(self, entry, now)
  if not entry.key then return false end
  local name = "key:" .. entry.key
  local added = self.database:run([[INSERT INTO waba_record (name, value, until) VALUES (?1, ?2, ?3)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value, until = excluded.until WHERE until <= ?4]],
    name, escape(entry.value) or "", now + self.remember, now)
  if added > 0 then return false end
  if entry.value then entry.known = unescape(self.database:value(VALUE, name, now)) end
  return true
end

-- Returns the position of the first entry whose key was recorded before with a different value.
local function find_conflict(self, entries, now)
  for index, entry in ipairs(entries) do
    local value = entry.same and unescape(self.database:value(VALUE, "key:" .. entry.key, now))
    if value and value:sub(1, entry.same) ~= entry.value:sub(1, entry.same) then return index end
  end
end

-- Stores those entries whose keys are not known, and also stores records. Returns the number of entries that were
-- stored.
local function put(self, entries, records, now)
  local conflict = find_conflict(self, entries, now)
  if conflict then return false, conflict end
  local store, fresh = name_store(self, now), {}
  for _, entry in ipairs(entries) do
    if not is_known(self, entry, now) then
      fresh[#fresh + 1] = entry
      -- a later entry may have the names of two earlier conversations, which then become one conversation
      if entry.names and entry.names[2] then names.join(store, entry.names) end
    end
  end
  for _, entry in ipairs(fresh) do append(self, entry, store, now) end
  write_all(self, records, now)
  forget_old(self, now, #fresh)
  return #fresh
end

-- Taking ------------------------------------------------------------------------------------------

local function make_dead(self, seq, reason, now, attempts)
  self.database:run([[INSERT INTO waba_dead (seq, conversation, bulk, id, attempts, at, reason, body)
    SELECT seq, conversation, bulk, id, coalesce(?4, attempts), ?2, ?3, body FROM waba_entry WHERE seq = ?1]], seq, now,
    reason, attempts)
  self.database:run("DELETE FROM waba_entry WHERE seq = ?", seq)
end

-- Appends an entry to its conversation when its time `at` has come.
local function arrive(self, seq, later, now)
  self.database:run([[UPDATE waba_entry SET later = NULL, conversation = ?2, due = ?3,
    head = NOT EXISTS (SELECT 1 FROM waba_entry WHERE conversation = ?2) WHERE seq = ?1]], seq,
    later ~= "" and later or nil, now)
end

local DUE = [[SELECT seq * 1.0, attempts, reason, later, body, token FROM waba_entry
  WHERE head = 1 AND bulk IN (0, 1) AND due <= ? ORDER BY bulk, due LIMIT ?]]

local NEXT_DUE = ([[SELECT min(
  coalesce((SELECT min(due) FROM waba_entry WHERE head = 1 AND bulk = 0), %.1f),
  coalesce((SELECT min(due) FROM waba_entry WHERE head = 1 AND bulk = 1), %.1f))]]):format(FOR_EVER, FOR_EVER)

-- If a lease has a mark, its token ends with this character. If an entry has a mark but no lease, this character is its
-- token.
local MARK = "!"

local function is_marked(token)
  return token ~= nil and token:sub(-1) == MARK or nil
end

local function write_leases(self, seqs, token, due)
  if #seqs >= FEW then return run_for_all(self, LEASE, seqs, token, due) end
  local sql = "UPDATE waba_entry SET attempts = attempts + 1, token = ?, due = ? WHERE seq = ?"
  for _, seq in ipairs(seqs) do self.database:run(sql, token, due, seq) end
end

-- Leases the entries of rows that are due. Returns whether the leases may have made other entries due.
local function lease(self, rows, seconds, now, taken, mark)
  self.numbers = self.numbers + 1
  local token, is_worth_another = self.owner .. ":" .. self.numbers, false
  local marked, plain = {}, {}
  for _, row in ipairs(rows) do
    local seq, attempts, later = row[1], row[2], row[4]
    local was_marked = is_marked(row[6])
    if later then
      arrive(self, seq, later, now)
      is_worth_another = true
    elseif attempts >= self.attempts and not was_marked then
      make_dead(self, seq, row[3] or LEASE_OVER, now)
      is_worth_another = true
    else
      local list = (mark or was_marked) and marked or plain
      list[#list + 1] = seq
      taken[#taken + 1] = {
        seq = seq, token = list == marked and token .. MARK or token, attempts = attempts + 1, body = unescape(row[5]),
        was_marked = was_marked,
      }
    end
  end
  write_leases(self, marked, token .. MARK, now + seconds)
  write_leases(self, plain, token, now + seconds)
  return is_worth_another
end

-- Ends the leases of processes that have ended.
local function free_dead(self)
  self.look_at = core.clock() + LOOK
  local ended = {}
  local owners = self.database:guarded(function() return self.database:rows "SELECT name FROM waba_owner" end)
  for _, row in ipairs(owners or {}) do
    if owner.has_ended(row[1]) then ended[#ended + 1] = row[1] end
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

-- Settling ----------------------------------------------------------------------------------------

-- Makes one change. Returns true if the lease had not expired. Otherwise returns false; for "always" the second result
-- is then whether the entry still existed.
local function settle(self, change, now)
  local database, seq, token = self.database, change.lease.seq, change.lease.token
  local before = change.lease.was_marked and MARK or nil
  if change.done then
    local is_held = database:run("DELETE FROM waba_entry WHERE seq = ? AND token = ?", seq, token) > 0
    for _, other in ipairs(is_held and change.following or {}) do
      database:run("DELETE FROM waba_entry WHERE seq = ?", other.seq)
    end
    if not is_held and change.done == "always" then
      local removed = database:run("DELETE FROM waba_entry WHERE seq = ?", seq)
      removed = removed + database:run("DELETE FROM waba_dead WHERE seq = ?", seq)
      return false, removed > 0
    end
    return is_held
  elseif change.dead then
    local is_held = database:value("SELECT 1 FROM waba_entry WHERE seq = ? AND token = ?", seq, token)
    if is_held then make_dead(self, seq, escape(change.reason), now) end
    for _, other in ipairs(is_held and change.following or {}) do
      make_dead(self, other.seq, escape(change.reason), now, change.lease.attempts)
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

-- If all entries of the changes have the same lease, and it has not expired, removes them in one statement.
-- Returns whether.
local function remove_all(self, changes)
  local first, seqs = changes[1], {}
  if #changes < FEW or #changes > ENTRIES or not first.done then return false end
  for index, change in ipairs(changes) do
    local is_plain = change.done and not change.following and change.lease.token == first.lease.token
    if not is_plain then return false end
    seqs[index] = change.lease.seq
  end
  for index = #seqs + 1, ENTRIES do seqs[index] = NONE end
  seqs[ENTRIES + 1] = first.lease.token
  if self.database:value(ARE_HELD, unpack(seqs)) < #changes then return false end
  self.database:run(REMOVE, unpack(seqs, 1, ENTRIES))
  return true
end

-- Makes changes. Returns the number of leases that had not expired.
local function settle_all(self, changes, now)
  local held, sets, are_removed = 0, {}, remove_all(self, changes)
  for _, change in ipairs(changes) do
    local is_held, is_removed = true, nil
    if not are_removed then is_held, is_removed = settle(self, change, now) end
    change.lost = not is_held
    if is_held then held = held + 1 end
    if is_held or change.done == "always" then write(self, change.records, now, is_held or is_removed, sets) end
  end
  set_all(self, sets)
  return held
end

function Sqlite:settle(changes, records, to_disk)
  if #changes == 0 and not records then return 0 end
  return self.database:transaction(function()
    local now = self.database:now()
    local held = settle_all(self, changes, now)
    write_all(self, records, now)
    return held
  end, to_disk and self.sync)
end

function Sqlite:following(taken, n)
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

-- Returns the seconds until an entry is due; nil without entries.
local function next_due(self, now)
  local due = self.database:value(NEXT_DUE)
  return due < FOR_EVER and math.max(0, due - now) or nil
end

-- Does the work of `take` within a transaction.
local function take(self, n, seconds, changes, now, mark)
  local taken = {}
  settle_all(self, changes, now)
  repeat
    local rows = #taken < n and self.database:rows(DUE, now, n - #taken) or {}
  until #rows == 0 or not lease(self, rows, seconds, now, taken, mark)
  if #taken >= n then return taken end
  return taken, next_due(self, now) or false
end

function Sqlite:put(entries, records, taking)
  if taking and core.clock() >= self.look_at then free_dead(self) end
  local taken, due
  local stored, err = self.database:transaction(function()
    local now = self.database:now()
    local count, conflict = put(self, entries, records, now)
    if not count then return false, conflict end
    if taking then taken, due = take(self, taking.n, taking.seconds, taking.changes, now) end
    return count
  end, self.sync)
  if not stored then return stored, err end
  return stored, taken, due
end

-- Reads first if there are no changes: workers that find no entry do not take the lock for writing.
function Sqlite:take(n, seconds, changes, mark)
  local database, taken, due = self.database, nil, nil
  if core.clock() >= self.look_at then free_dead(self) end
  if not changes or #changes == 0 then
    local found, failure = database:guarded(function() return next_due(self, database:now()) or false end)
    if found == nil then return nil, failure end
    if found ~= 0 then return {}, found end
  end
  local ok, err = database:transaction(function()
    taken, due = take(self, n, seconds, changes or {}, database:now(), mark)
    return true
  end, mark and self.sync or nil)
  if not ok then return nil, err end
  return taken, due
end

-- Looking -----------------------------------------------------------------------------------------

function Sqlite:depth()
  return self.database:guarded(function() return self.database:value "SELECT count(*) FROM waba_entry" end)
end

function Sqlite:next_due()
  return (self.database:guarded(function() return next_due(self, self.database:now()) end))
end

function Sqlite:oldest()
  return self.database:guarded(function() return self.database:value "SELECT min(seq) / 1e6 FROM waba_entry" end)
end

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

function Sqlite:list(dead, n, after)
  local rows, err = self.database:guarded(function()
    return rows_of(self, dead, " WHERE seq > ?2 ORDER BY seq LIMIT ?3", (tonumber(after) or -1) + 0.0, n)
  end)
  if not rows then return nil, err end
  return rows, #rows == n and rows[n] and rows[n].id or nil
end

function Sqlite:find(id)
  return self.database:guarded(function()
    return rows_of(self, false, " WHERE id = ?2", id)[1] or rows_of(self, true, " WHERE id = ?2 LIMIT 1", id)[1]
  end)
end

function Sqlite:hasten(id)
  return self.database:transaction(function()
    self.database:run("UPDATE waba_entry SET due = ?1 WHERE id = ?2 AND later IS NOT NULL", self.database:now(), id)
    return true
  end)
end

-- Returns the lane of a conversation, and all names that refer to the conversation now.
local function parts_of(self, conversation)
  for index = #self.lanes, 1, -1 do
    local lane = self.lanes[index]
    if conversation:sub(1, #lane) == lane then return lane, { conversation:sub(#lane + 1) } end
  end
end

function Sqlite:revive(rows)
  return self.database:transaction(function()
    local count, now = 0, self.database:now()
    local store = name_store(self, now)
    for _, row in ipairs(rows) do
      local seq = tonumber(row.id) + 0.0
      local found = self.database:rows("SELECT conversation, bulk, id, body FROM waba_dead WHERE seq = ?", seq)[1]
      if found then
        local entry = { bulk = found[2] == 1, id = found[3], body = unescape(found[4]) }
        if found[1] then entry.lane, entry.names = parts_of(self, unescape(found[1])) end
        append(self, entry, store, now)
        self.database:run("DELETE FROM waba_dead WHERE seq = ?", seq)
        count = count + 1
      end
    end
    return count
  end)
end

function Sqlite:drop(rows)
  return self.database:transaction(function()
    local count, now = 0, self.database:now()
    for _, row in ipairs(rows) do
      local seq = tonumber(row.id) + 0.0
      if row.state == "dead" then
        count = count + self.database:run("DELETE FROM waba_dead WHERE seq = ?", seq)
      else
        local sql = "DELETE FROM waba_entry WHERE seq = ? AND (token IS NULL OR length(token) = 1 OR due <= ?)"
        if self.database:run(sql, seq, now) > 0 then
          count = count + 1
          write_all(self, row.records, now)
        end
      end
    end
    return count
  end)
end

function Sqlite:get(name)
  return self.database:guarded(function()
    return unescape(self.database:value(VALUE, name, self.database:now()))
  end)
end

function Sqlite:get_all(list)
  return self.database:guarded(function()
    local found, now = {}, self.database:now()
    for _, name in ipairs(list) do found[name] = unescape(self.database:value(VALUE, name, now)) end
    return found
  end)
end

function Sqlite:record_names(prefix, n, after)
  local rows, err = self.database:guarded(function()
    return self.database:rows([[SELECT name FROM waba_record WHERE name >= ?1 AND name > ?2 AND name < ?3 AND until > ?4
      ORDER BY name LIMIT ?5]], prefix, after or "", prefix .. "\255", self.database:now(), n)
  end)
  if not rows then return nil, err end
  for index, row in ipairs(rows) do rows[index] = row[1] end
  return rows, #rows == n and rows[n] or nil
end

function Sqlite:close()
  self.database:close()
end

local sqlite = {}

--- Makes a store in a file. The file is opened at the first use, so a process may fork before that. `attempts`,
--- `remember`, `lanes` and `title` are the options of `waba.store.memory`. If `sync` is true, `put` returns when the
--- disk has written the entries.
---@param settings { file: string, busy_timeout: number, sync: boolean, [string]: any }
---@return waba.SqliteStore
function sqlite.new(settings)
  local store = setmetatable({
    sync = settings.sync, attempts = settings.attempts, remember = settings.remember, lanes = settings.lanes,
    database = sqlite_connection.new(settings.file, settings.busy_timeout, settings.title, settings.application),
    numbers = 0, since_forgetting = 0, forgotten = "", look_at = 0,
  }, Sqlite)
  -- a forked process has another name as an owner
  function store.database.on_open() store.owner, store.is_registered, store.look_at = owner.name(), false, 0 end
  return store
end

return sqlite
