-- A connection to a SQLite file that does not use the library.

local sqlite = {}

local Connection = {}
Connection.__index = Connection

--- Runs a statement. Raises an error if the statement fails.
---@return any[][] rows
function Connection:execute(sql)
  local statement, message = self.connection:prepare(sql)
  assert(statement, message)
  local rows = {}
  local ok, failure = statement:execute()
  local row = ok and statement:fetch()
  while row do
    rows[#rows + 1] = row
    row = statement:fetch()
  end
  statement:close()
  assert(ok, failure)
  return rows
end

function Connection:close() self.connection:close() end

--- Opens a file. Opens the file, or makes it if it does not exist.
function sqlite.open(path)
  local connection = assert(require("dbd.sqlite3").New(path))
  connection:autocommit(true)
  return setmetatable({ connection = connection }, Connection)
end

return sqlite
