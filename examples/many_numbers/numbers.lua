-- A SQLite table of business numbers. Each row has the API key of a number, its hosting, and the path and the password
-- of its webhook URL.

local sqlite = require "dbd.sqlite3"

local numbers = {}

local SCHEMA = [[CREATE TABLE IF NOT EXISTS numbers (
  number TEXT PRIMARY KEY, api_key TEXT NOT NULL UNIQUE, hosting TEXT NOT NULL, path TEXT NOT NULL UNIQUE,
  password TEXT NOT NULL)]]

local COLUMNS = "SELECT number, api_key, hosting, path, password FROM numbers WHERE "

local Numbers = {}
Numbers.__index = Numbers

-- Runs a statement and returns the first row. Raises the errors of SQLite, so that a webhook or an event is handled
-- again if the table could not be read.
local function run(self, sql, ...)
  local statement = assert(self.connection:prepare(sql))
  local ok, message = statement:execute(...)
  local row = ok and statement:fetch(true)
  statement:close()
  assert(ok, message)
  return row or nil
end

--- Opens the table, or makes it if it does not exist.
function numbers.open(path)
  local self = setmetatable({ connection = assert(sqlite.New(path)) }, Numbers)
  self.connection:autocommit(true)
  run(self, "PRAGMA busy_timeout = 5000")
  run(self, SCHEMA)
  return self
end

function Numbers:by_number(number) return run(self, COLUMNS .. "number = ?", number) end

function Numbers:by_path(path) return run(self, COLUMNS .. "path = ?", path) end

--- Adds a number, or replaces its key. Returns the row of the number.
function Numbers:add(number, api_key, hosting)
  local random = assert(io.open("/dev/urandom", "rb"))
  local password = random:read(16):gsub(".", function(byte) return ("%02x"):format(byte:byte()) end)
  random:close()
  run(self, "INSERT INTO numbers VALUES (?, ?, ?, ?, ?) ON CONFLICT (number) DO UPDATE SET api_key = excluded.api_key, "
    .. "hosting = excluded.hosting", number, api_key, hosting, "/webhook/" .. number, password)
  return self:by_number(number)
end

return numbers
