-- A connection to the file of a SQLite inbox: statements, transactions, and what the driver says as error
-- objects.

local policy = require "waba.inbox.policy"
local sqlite_file = require "waba.inbox.sqlite_file"

---@class waba.SqliteConnection
---@field file string
---@field busy_timeout number  seconds
---@field connection userdata?  the driver's, while the file is open
---@field environment userdata?
---@field to_disk true?         what the connection was last told
---@field closed true?
local Connection = {}
Connection.__index = Connection

local sqlite_connection = {}

--- A text as a literal in SQL. The driver takes a statement up to its first NUL byte.
---@param text string|nil
---@return string literal
function sqlite_connection.quote(text)
  if text == nil then return "NULL" end
  if text:find("%z") then
    return "CAST(x'" .. text:gsub(".", function(c) return ("%02x"):format(c:byte()) end) .. "' AS TEXT)"
  end
  return "'" .. text:gsub("'", "''") .. "'"
end

-- A driver's error, on its way to the end of the transaction.
local Failure = {}

--- Only within `guarded` and `transaction`, as `rows` and `value`.
---@param statement string
---@return integer|table  the number of rows changed, or a cursor
function Connection:execute(statement)
  local result, message = self.connection:execute(statement)
  if not result then error(setmetatable({ message = message }, Failure), 0) end
  return result
end

--- All rows of a query, as lists of columns.
---@param query string
---@return any[][]
function Connection:rows(query)
  local cursor, list = self:execute(query), {}
  if type(cursor) == "number" then return list end
  local row = cursor:fetch({}, "n")
  while row do
    list[#list + 1] = row
    row = cursor:fetch({}, "n")
  end
  cursor:close()
  return list
end

--- The first column of the first row.
---@param query string
---@return any
function Connection:value(query)
  local row = self:rows(query)[1]
  return row and row[1]
end

local function prepare(self)
  self:rows(("PRAGMA busy_timeout = %d"):format(self.busy_timeout * 1000))
  self:rows("PRAGMA journal_mode = WAL")
  self:rows("PRAGMA synchronous = NORMAL")
  for _, statement in ipairs(sqlite_file.schema) do self:execute(statement) end
end

local function disconnect(self)
  if self.connection then self.connection:close() end
  if self.environment then self.environment:close() end
  self.connection, self.environment, self.to_disk = nil, nil, nil
end

local function open(self)
  if self.connection then return end
  self.environment = require("luasql.sqlite3").sqlite3()
  local connection, message = self.environment:connect(self.file)
  if not connection then
    disconnect(self)
    error(setmetatable({ message = message }, Failure), 0)
  end
  self.connection = connection
  local ok, failure = pcall(prepare, self)
  if not ok then
    disconnect(self)
    error(failure, 0)
  end
end

--- Runs `work` and turns what the driver says into an error object. The file is opened at the first use.
---@param work fun(): any, any
---@return any result  of `work`; or nil and a `waba.Error`
---@return any second
function Connection:guarded(work)
  if self.closed then error("this inbox is closed", 3) end
  local ok, result, second = pcall(function()
    open(self)
    return work()
  end)
  if ok and second == nil then return result end
  if ok then return result, second end
  if getmetatable(result) ~= Failure then error(result, 0) end
  return nil, policy.unavailable("the inbox's database: " .. tostring(result.message))
end

--- Runs `work` in one transaction: all of it happens, or nothing. With `to_disk` it is on the disk when
--- this returns. Only what is put needs that: a power failure that takes an acknowledgement back makes
--- an event come twice, which is allowed; what is lost is lost.
---@param work fun(): any, any
---@param to_disk? true
---@return any result  of `work`; or nil and a `waba.Error`
---@return any second
function Connection:transaction(work, to_disk)
  return self:guarded(function()
    if to_disk ~= self.to_disk then
      self:rows("PRAGMA synchronous = " .. (to_disk and "FULL" or "NORMAL"))
      self.to_disk = to_disk
    end
    self:execute("BEGIN IMMEDIATE")
    local ok, result, second = pcall(function()
      local first, other = work()
      self:execute("COMMIT")
      return first, other
    end)
    if ok then return result, second end
    self.connection:execute "ROLLBACK"
    error(result, 0)
  end)
end

--- Closes the file; nothing can be done any more.
function Connection:close()
  disconnect(self)
  self.closed = true
end

--- A connection that is not open yet.
---@param file string
---@param busy_timeout number  seconds to wait for another process's write
---@return waba.SqliteConnection
function sqlite_connection.new(file, busy_timeout)
  return setmetatable({ file = file, busy_timeout = busy_timeout }, Connection)
end

return sqlite_connection
