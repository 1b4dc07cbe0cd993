-- Defines the tables in the file of a SQLite store, migrates older files, and checks a file before its first use.

local open_file = require "waba.open"

local sqlite_file = {}

--- The file of an inbox or an outbox.
---@options waba.SqliteFile
sqlite_file.OPTIONS = {
  file = "string",                   -- required: the path of the database file of one inbox or one outbox. The process
                                     -- must be able to write to the file and to its directory. A new file has mode 600.
                                     -- A file that was removed or replaced is opened again at this path
  busy_timeout = { "number>=0", 5 }, -- the longest wait for the write lock of another process, in seconds. In nginx,
                                     -- `waba.run`, cqueues and copas, other coroutines run during the wait
}

--- Returns options as a table. A string is the option `file`.
function sqlite_file.read_options(options)
  return type(options) == "string" and { file = options } or options
end

local VERSION = 2 -- the `PRAGMA user_version` of files with the tables in SCHEMA

--- The `PRAGMA application_id` of the file of an outbox. The file of an inbox has the id 0.
sqlite_file.OUTBOX = 0x77614f42

-- Some columns of an entry:
-- - `seq`: the greater of two numbers: the time in microseconds at which the entry was stored, and 1 plus the largest
--   `seq` of the table
-- - `head`: 1 for the first entry of a conversation. Only the first entry may be taken
-- - `due`: the time from which the entry may be taken; for a leased entry, the end of the lease
-- - `token`: the name of the process that has the lease, and a number
-- - `later`: the conversation to which the entry is appended at the time `due`
local SCHEMA = {
  [[CREATE TABLE waba_entry (
    seq INTEGER PRIMARY KEY, conversation TEXT, head INTEGER NOT NULL, bulk INTEGER NOT NULL, due REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, token TEXT, reason TEXT, id TEXT, later TEXT, body TEXT NOT NULL)]],
  "CREATE INDEX waba_entry_head ON waba_entry (bulk, due) WHERE head = 1",
  "CREATE INDEX waba_entry_conversation ON waba_entry (conversation)",
  "CREATE UNIQUE INDEX waba_entry_id ON waba_entry (id) WHERE id IS NOT NULL",
  [[CREATE TABLE waba_dead (
    seq INTEGER PRIMARY KEY, conversation TEXT, bulk INTEGER NOT NULL, id TEXT, attempts INTEGER NOT NULL,
    at REAL NOT NULL, reason TEXT, body TEXT NOT NULL)]],
  -- the names of the keys of entries begin with "key:"; references between names (store/names.lua) end with ":name"
  "CREATE TABLE waba_record (name TEXT PRIMARY KEY, value TEXT NOT NULL, until REAL NOT NULL) WITHOUT ROWID",
  "CREATE TABLE waba_owner (name TEXT PRIMARY KEY) WITHOUT ROWID", -- the names of processes that took entries
}

-- The triggers set `head` of the next entry when the first entry of a conversation is removed or deferred. For most
-- entries, no other entry waits. With OR FAIL, SQLite does not copy the changed pages to be able to undo the statement
-- alone.
local NEXT = "UPDATE OR FAIL waba_entry SET head = 1 WHERE seq = "
  .. "(SELECT min(seq) FROM waba_entry WHERE conversation = old.conversation)"
local TRIGGERS = {
  waba_entry_removed = "CREATE TRIGGER waba_entry_removed AFTER DELETE ON waba_entry WHEN old.head = 1 AND "
    .. "EXISTS (SELECT 1 FROM waba_entry WHERE conversation = old.conversation) BEGIN " .. NEXT .. "; END",
  waba_entry_left = "CREATE TRIGGER waba_entry_left AFTER UPDATE OF later ON waba_entry WHEN new.later IS NOT NULL "
    .. "AND old.conversation IS NOT NULL BEGIN " .. NEXT .. "; END",
}

-- Creates the triggers, and replaces triggers of an older version. If `is_check` is true, changes nothing, and returns
-- true if a trigger must be created or replaced.
local function make_triggers(connection, is_check)
  for name, sql in pairs(TRIGGERS) do
    if connection:value("SELECT sql FROM sqlite_master WHERE name = ?", name) ~= sql then
      if is_check then return true end
      connection:run("DROP TRIGGER IF EXISTS " .. name)
      connection:run(sql)
    end
  end
end

-- Converts the tables of release 1.0. The text %d is replaced by the present time in microseconds.
local FROM_VERSION_1 = {
  -- some files of release 1.0 do not have the table waba_customer
  "CREATE TABLE IF NOT EXISTS waba_customer (name TEXT PRIMARY KEY, root TEXT, until REAL)",
  [[INSERT INTO waba_entry (seq, conversation, head, bulk, due, attempts, token, reason, body)
    SELECT %d + seq, conversation, head, 0, due, attempts, nullif(token, -1), reason, body FROM waba_event]],
  [[INSERT INTO waba_dead (seq, conversation, bulk, attempts, at, reason, body)
    SELECT %d - 1000000000 + seq, conversation, 0, attempts, at, reason, body FROM waba_aside]],
  "INSERT INTO waba_record SELECT 'key:' || key, '', until FROM waba_seen",
  "INSERT INTO waba_record SELECT name || ':name', root, until FROM waba_customer",
  "DROP TABLE waba_event", "DROP TABLE waba_aside", "DROP TABLE waba_seen", "DROP TABLE waba_customer",
}

-- Returns an error text if the file of an outbox is used for an inbox, or the file of an inbox for an outbox.
local function check_use(connection)
  local found = connection:pragma "application_id"
  if found == connection.application then return end
  local owner = found == sqlite_file.OUTBOX and "an outbox" or found == 0 and "an inbox" or "another program"
  return ("it belongs to %s: %s needs a file of its own"):format(owner, connection.title)
end

-- Returns 1 for a file that has tables, but no table of waba.
local FOREIGN = "SELECT count(*) > 0 AND total(name GLOB 'waba_*') = 0 FROM sqlite_master"
local NOT_A_STORE = "it is not a store of waba: its tables belong to another program; expected a file of its own"

--- Returns an error text if the file has the tables of another program. If this function returns a text, the caller
--- must not write to the file.
function sqlite_file.foreign_error(connection)
  return connection:value(FOREIGN) == 1 and NOT_A_STORE or nil
end

--- Creates the tables, or converts those of release 1.0. Returns an error text if the file belongs to another store.
function sqlite_file.make_tables(connection)
  local version = connection:pragma "user_version"
  if version == VERSION then
    local message = check_use(connection)
    if message or not make_triggers(connection, true) then return message end
  end
  connection:run "BEGIN IMMEDIATE"
  version = connection:pragma "user_version" -- another process may have made the tables since the first check
  if version > VERSION then
    local text = "its tables have version %d, which a newer waba has made: expected at most version %d"
    connection:run "ROLLBACK"
    return text:format(version, VERSION)
  end
  if version < VERSION then
    for _, sql in ipairs(SCHEMA) do connection:run(sql) end
    if connection:value "SELECT 1 FROM sqlite_master WHERE name = 'waba_event'" then
      local now = ("%.0f"):format(connection:now() * 1e6)
      for _, sql in ipairs(FROM_VERSION_1) do connection:run((sql:gsub("%%d", now))) end
    end
    connection:pragma(("user_version = %d"):format(VERSION))
    if version == 0 then connection:pragma(("application_id = %d"):format(connection.application)) end
  end
  make_triggers(connection)
  connection:run "COMMIT"
  return check_use(connection)
end

local NOT_FOUND, NO_FOLDER = 2, 20

-- Returns an error text if a file is not a database, or has the tables of another program.
local function database_error(path)
  local connection, message = require("dbd.sqlite3").New(path)
  if not connection then return sqlite_file.message(message) end
  local statement
  statement, message = connection:prepare(FOREIGN)
  if statement then
    local ok, failure = statement:execute()
    local row = ok and statement:fetch()
    message = not ok and failure or row and row[1] == 1 and NOT_A_STORE or nil
    statement:close()
  end
  connection:close()
  return message and not message:find "locked" and sqlite_file.message(message) or nil
end

--- Returns SQLite's message without the text that the driver adds. If SQLite can't write the file, the result also
--- names the permissions that SQLite needs.
function sqlite_file.message(text)
  text = tostring(text):gsub("%s+$", "")
  for _, prefix in ipairs {
    "^Failed to connect to database: ", "^Error preparing statement[^:]*: ", "^Execute failed:? ", "^Fetch failed:? ",
  } do text = text:gsub(prefix, "") end
  if text:find "readonly database" then -- SQLite writes to the directory even when a statement only reads
    text = text .. ": the process must be able to write to the file and to its directory"
  end
  return text
end

--- Returns an error text if a path can't be used for the file of a store. This function does not create the file,
--- because the caller may be the master process of nginx, which runs as another user than the workers.
function sqlite_file.file_error(path)
  if path == "" then return "its name is empty" end
  if path == ":memory:" then return nil end
  -- Renaming a file to its own name shows whether the file exists. Opening and closing the file would release the locks
  -- of another store of this process.
  local ok, _, code = os.rename(path, path)
  if ok or code ~= NOT_FOUND and code ~= NO_FOLDER then
    local reason = database_error(path)
    return reason and path .. ": " .. reason
  end
  local folder, message = open_file(path:match("^(.*/)[^/]*$") or ".", "rb")
  if not folder then return message end
  folder:close()
end

return sqlite_file
