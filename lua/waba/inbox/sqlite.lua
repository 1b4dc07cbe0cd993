-- The inbox in one SQLite file: survives the end of the process at any moment, and may be shared by
-- several processes of one machine. The contract is in contract.lua.

local keys = require "waba.inbox.keys"
local policy = require "waba.inbox.policy"
local record = require "waba.inbox.record"

-- `head` marks the first event of its conversation, the only one that may be handed out; `due` is
-- when. A lease moves `due` into the future, and `token` tells whose it is.
local SCHEMA = {
  [[CREATE TABLE IF NOT EXISTS waba_event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, conversation TEXT, head INTEGER NOT NULL, due REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, token INTEGER NOT NULL DEFAULT 0, reason TEXT, body TEXT NOT NULL)]],
  "CREATE INDEX IF NOT EXISTS waba_event_head ON waba_event (seq) WHERE head = 1",
  [[CREATE INDEX IF NOT EXISTS waba_event_conversation ON waba_event (conversation, seq)
    WHERE conversation IS NOT NULL]],
  [[CREATE TABLE IF NOT EXISTS waba_aside (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, conversation TEXT, attempts INTEGER NOT NULL, at REAL NOT NULL,
    reason TEXT, body TEXT NOT NULL)]],
  "CREATE TABLE IF NOT EXISTS waba_seen (key TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID",
  "CREATE INDEX IF NOT EXISTS waba_seen_until ON waba_seen (until)",
}

-- Unix seconds with milliseconds, by the clock that all processes share.
local NOW = "((julianday('now') - 2440587.5) * 86400.0)"

local LEASE_OVER = "its lease was over before it was handled"

---@class waba.SqliteInbox : waba.Inbox
local Sqlite = {}
Sqlite.__index = Sqlite
Sqlite.__name = "waba.inbox.sqlite"
Sqlite.durable = true

-- The driver takes a statement up to its first NUL byte.
local function quote(text)
  if text == nil then return "NULL" end
  if text:find("%z") then
    return "CAST(x'" .. text:gsub(".", function(c) return ("%02x"):format(c:byte()) end) .. "' AS TEXT)"
  end
  return "'" .. text:gsub("'", "''") .. "'"
end

-- A driver's error, on its way to the end of the transaction.
local Failure = {}

local function execute(inbox, statement)
  local result, message = inbox.connection:execute(statement)
  if not result then error(setmetatable({ message = message }, Failure), 0) end
  return result
end

-- All rows of a query, as lists of columns.
local function rows(inbox, query)
  local cursor, list = execute(inbox, query), {}
  if type(cursor) == "number" then return list end
  local row = cursor:fetch({}, "n")
  while row do
    list[#list + 1] = row
    row = cursor:fetch({}, "n")
  end
  cursor:close()
  return list
end

local function value(inbox, query)
  local row = rows(inbox, query)[1]
  return row and row[1]
end

local function open(inbox)
  if inbox.connection then return end
  local driver = policy.load("luasql.sqlite3", "luasql-sqlite3", "lua-sql-sqlite3", "the SQLite inbox")
  local environment = driver.sqlite3()
  local connection, message = environment:connect(inbox.file)
  if not connection then error(setmetatable({ message = message }, Failure), 0) end
  inbox.environment, inbox.connection = environment, connection
  rows(inbox, ("PRAGMA busy_timeout = %d"):format(inbox.busy_timeout * 1000))
  rows(inbox, "PRAGMA journal_mode = WAL")
  rows(inbox, "PRAGMA synchronous = " .. (inbox.sync and "FULL" or "NORMAL"))
  for _, statement in ipairs(SCHEMA) do execute(inbox, statement) end
end

-- Runs `work` in one transaction: all of it happens, or nothing.
local function transaction(inbox, work)
  if inbox.closed then error("this inbox is closed", 3) end
  local begun = false
  local ok, result, second = pcall(function()
    open(inbox)
    execute(inbox, "BEGIN IMMEDIATE")
    begun = true
    local first, other = work()
    execute(inbox, "COMMIT")
    return first, other
  end)
  if ok then return result, second end
  if begun then inbox.connection:execute("ROLLBACK") end
  if getmetatable(result) ~= Failure then error(result, 0) end
  return nil, policy.unavailable("the inbox's database: " .. tostring(result.message))
end

-- Lets the next event of a conversation come.
local function promote(inbox, conversation)
  if conversation then
    execute(inbox, ([[UPDATE waba_event SET head = 1 WHERE seq =
      (SELECT min(seq) FROM waba_event WHERE conversation = %s)]]):format(quote(conversation)))
  end
end

local function append(inbox, conversation, body)
  local head = "1"
  if conversation then
    conversation = quote(conversation)
    head = ("NOT EXISTS (SELECT 1 FROM waba_event WHERE conversation = %s)"):format(conversation)
  end
  execute(inbox, ("INSERT INTO waba_event (conversation, head, due, body) VALUES (%s, %s, 0, %s)"):format(
    conversation or "NULL", head, quote(body)))
end

local function set_aside(inbox, seq, conversation, reason)
  execute(inbox, ([[INSERT INTO waba_aside (conversation, attempts, at, reason, body)
    SELECT conversation, attempts, %s, %s, body FROM waba_event WHERE seq = %d]]):format(NOW, quote(reason), seq))
  execute(inbox, ("DELETE FROM waba_event WHERE seq = %d"):format(seq))
  promote(inbox, conversation)
end

local function lease_of(inbox, event)
  return inbox.leases[event] or error("this event was not taken from this inbox", 3)
end

-- Whether a worker's lease still stands.
local function holds(inbox, lease)
  local query = "SELECT 1 FROM waba_event WHERE seq = %d AND token = %d"
  return value(inbox, query:format(lease.seq, lease.token)) ~= nil
end

-- Drops keys whose time is over, a few at each put.
local function forget_old(inbox, now)
  execute(inbox, ([[DELETE FROM waba_seen WHERE key IN
    (SELECT key FROM waba_seen WHERE until <= %.3f LIMIT 200)]]):format(now))
end

function Sqlite:put(events)
  local entries = {}
  for index, event in ipairs(events) do
    entries[index] = {
      key = keys.identity(event), conversation = keys.conversation(event), body = record.encode(event),
    }
  end
  return transaction(self, function()
    local now = value(self, "SELECT " .. NOW)
    forget_old(self, now)
    local stored = 0
    for _, entry in ipairs(entries) do
      local is_new = true
      if entry.key then
        is_new = execute(self, ("INSERT OR IGNORE INTO waba_seen (key, until) VALUES (%s, %.3f)"):format(
          quote(entry.key), now + self.remember)) > 0
      end
      if is_new then
        append(self, entry.conversation, entry.body)
        stored = stored + 1
      end
    end
    return stored
  end)
end

-- Gives one due event to the worker, or sets it aside when it was tried too often.
local function lend(inbox, row, lease)
  local seq, conversation, attempts, token = row[1], row[2], row[3], row[4]
  if attempts >= inbox.retry.attempts then
    set_aside(inbox, seq, conversation, row[6] or LEASE_OVER)
    return nil
  end
  execute(inbox, ("UPDATE waba_event SET attempts = %d, token = %d, due = %s + %.3f WHERE seq = %d"):format(
    attempts + 1, token + 1, NOW, lease, seq))
  local event = record.decode(row[5])
  inbox.leases[event] = { seq = seq, token = token + 1, conversation = conversation, attempts = attempts + 1 }
  return event
end

function Sqlite:take(n, lease)
  return transaction(self, function()
    local taken = {}
    repeat
      local due = rows(self, ([[SELECT seq, conversation, attempts, token, body, reason FROM waba_event
        WHERE head = 1 AND due <= %s ORDER BY seq LIMIT %d]]):format(NOW, (n or 1) - #taken))
      for _, row in ipairs(due) do taken[#taken + 1] = lend(self, row, lease or policy.LEASE) end
    until #due == 0 or #taken >= (n or 1)
    return taken
  end)
end

function Sqlite:attempts(event)
  local lease = self.leases[event]
  return lease and lease.attempts or 0
end

function Sqlite:extend(event, seconds)
  local lease = lease_of(self, event)
  return transaction(self, function()
    if not holds(self, lease) then return nil, policy.lease_lost() end
    execute(self, ("UPDATE waba_event SET due = %s + %.3f WHERE seq = %d"):format(
      NOW, seconds or policy.LEASE, lease.seq))
    return true
  end)
end

function Sqlite:ack(event)
  local lease = lease_of(self, event)
  return transaction(self, function()
    local removed = execute(self, ("DELETE FROM waba_event WHERE seq = %d AND token = %d"):format(
      lease.seq, lease.token))
    if removed == 0 then return nil, policy.lease_lost() end
    promote(self, lease.conversation)
    return true
  end)
end

function Sqlite:fail(event, reason)
  local lease = lease_of(self, event)
  reason = tostring(reason or "no reason was given")
  return transaction(self, function()
    if not holds(self, lease) then return nil, policy.lease_lost() end
    if lease.attempts >= self.retry.attempts then
      set_aside(self, lease.seq, lease.conversation, reason)
      return false
    end
    local delay = policy.delay(self.retry, lease.attempts)
    execute(self, ("UPDATE waba_event SET token = token + 1, due = %s + %.3f, reason = %s WHERE seq = %d"):format(
      NOW, delay, quote(reason), lease.seq))
    return delay
  end)
end

function Sqlite:release(event)
  local lease = lease_of(self, event)
  return transaction(self, function()
    if not holds(self, lease) then return nil, policy.lease_lost() end
    execute(self, ("UPDATE waba_event SET token = token + 1, due = 0, attempts = attempts - 1 WHERE seq = %d"):format(
      lease.seq))
    return true
  end)
end

function Sqlite:set_aside(n)
  return transaction(self, function()
    local list = {}
    local found = rows(self, ("SELECT body, attempts, reason, at FROM waba_aside ORDER BY seq LIMIT %d"):format(n or 100))
    for index, row in ipairs(found) do
      list[index] = { event = record.decode(row[1]), attempts = row[2], reason = row[3], at = row[4] }
    end
    return list
  end)
end

function Sqlite:revive()
  return transaction(self, function()
    local aside = rows(self, "SELECT conversation, body FROM waba_aside ORDER BY seq")
    for _, row in ipairs(aside) do append(self, row[1], row[2]) end
    execute(self, "DELETE FROM waba_aside")
    return #aside
  end)
end

function Sqlite:depth()
  return transaction(self, function()
    return value(self, "SELECT count(*) FROM waba_event")
  end)
end

function Sqlite:next_due()
  return (transaction(self, function()
    local seconds = value(self, ("SELECT min(due) - %s FROM waba_event WHERE head = 1"):format(NOW))
    return seconds and math.max(0, seconds)
  end))
end

function Sqlite:close()
  if self.connection then
    self.connection:close()
    self.environment:close()
  end
  self.connection, self.environment, self.closed = nil, nil, true
end

local sqlite = {}

---@class waba.SqliteInboxOptions : waba.InboxOptions
---@field file string            the database; it and its directory must be writable
---@field busy_timeout? number   seconds to wait for another process's write; 5 by default
---@field sync? boolean          true, the default: `put` returns when the disk has the events, so that they
---                              survive a power failure too; false: they survive the end of the process

--- An inbox in a SQLite file. The file is opened at the first use, so that a process may fork before.
---@param given waba.SqliteInboxOptions|string  a string is the file
---@return waba.SqliteInbox
function sqlite.new(given)
  if type(given) == "string" then given = { file = given } end
  local settings = policy.settings(given, { file = "string", busy_timeout = "number", sync = "boolean" },
    "waba.inbox.sqlite")
  if not settings.file then error("waba.inbox.sqlite: option file is required", 2) end
  policy.load("luasql.sqlite3", "luasql-sqlite3", "lua-sql-sqlite3", "waba.inbox.sqlite")
  return setmetatable({
    file = settings.file, busy_timeout = settings.busy_timeout or 5, sync = settings.sync ~= false,
    retry = settings.retry, remember = settings.remember, leases = setmetatable({}, { __mode = "k" }),
  }, Sqlite)
end

return sqlite
