-- The file of a SQLite inbox: its tables, and a look at it before it is used, so that a wrong path is
-- told at the start and not by webhooks that are refused.

local open_file = require "waba.open"

local sqlite_file = {}

-- `head` marks the first event of its conversation, the only one that may be handed out; `due` is
-- when. A lease moves `due` into the future, and `token` tells whose it is: a random number, since a
-- `seq` may be used again when the last event is gone.
sqlite_file.schema = {
  [[CREATE TABLE IF NOT EXISTS waba_event (
    seq INTEGER PRIMARY KEY, conversation TEXT, head INTEGER NOT NULL, due REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, token INTEGER NOT NULL DEFAULT -1, reason TEXT, body TEXT NOT NULL)]],
  "CREATE INDEX IF NOT EXISTS waba_event_head ON waba_event (seq) WHERE head = 1",
  [[CREATE INDEX IF NOT EXISTS waba_event_conversation ON waba_event (conversation, seq)
    WHERE conversation IS NOT NULL]],
  [[CREATE TABLE IF NOT EXISTS waba_aside (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, conversation TEXT, attempts INTEGER NOT NULL, at REAL NOT NULL,
    reason TEXT, body TEXT NOT NULL)]],
  "CREATE TABLE IF NOT EXISTS waba_seen (key TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID",
  "CREATE INDEX IF NOT EXISTS waba_seen_until ON waba_seen (until)",
  -- a customer's name that refers to another one (customers.lua)
  [[CREATE TABLE IF NOT EXISTS waba_customer (
    name TEXT PRIMARY KEY, root TEXT NOT NULL, until REAL NOT NULL) WITHOUT ROWID]],
  "CREATE INDEX IF NOT EXISTS waba_customer_until ON waba_customer (until)",
}

local NOT_FOUND, NO_FOLDER = 2, 20

-- Looks without opening: closing the file would take away the locks that SQLite holds on it for
-- another inbox of this process. A rename to the same name changes nothing.
local function exists(path)
  local ok, _, code = os.rename(path, path)
  return ok or code ~= NOT_FOUND and code ~= NO_FOLDER
end

-- What SQLite says of a file that is there.
local function problem_of_database(path)
  local environment = require("luasql.sqlite3").sqlite3()
  local connection, message = environment:connect(path)
  if connection then
    local cursor
    cursor, message = connection:execute "PRAGMA schema_version"
    if type(cursor) == "userdata" then cursor:close() end
    if cursor then message = nil end
    connection:close()
  end
  environment:close()
  return message and not message:find("locked", 1, true) and message or nil
end

--- Why a file can't be the database, if that is plain already. It is not made here: in nginx this may
--- run as another user than the one who writes.
---@param path string
---@return string|nil
function sqlite_file.problem(path)
  if path == "" then return "its name is empty" end
  if path == ":memory:" then return nil end
  if exists(path) then
    local problem = problem_of_database(path)
    return problem and path .. ": " .. problem
  end
  local folder, message = open_file(path:match("^(.*/)[^/]*$") or ".", "rb")
  if not folder then return message end
  folder:close()
end

return sqlite_file
