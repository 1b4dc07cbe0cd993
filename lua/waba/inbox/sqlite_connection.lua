-- A connection to the file of a SQLite inbox: statements, transactions, and what the driver says as error
-- objects. Waits for the lock of another process in the way of the event loop, and notices when the file was
-- removed or replaced.

local core = require "waba.core"
local policy = require "waba.inbox.policy"
local sqlite_file = require "waba.inbox.sqlite_file"
local runtime = require "waba.runtime"

---@class waba.SqliteConnection
---@field file string
---@field path string?         its absolute path; set at the first use
---@field identity string?     of the open file
---@field beside table<string, string>?  the identities of SQLite's further files, by the ends of their names
---@field busy_timeout number  seconds
---@field connection userdata?  the driver's, while the file is open
---@field environment userdata?
---@field driver_timeout integer?  milliseconds: the `busy_timeout` that was last set in SQLite
---@field to_disk true?         what the connection was last told
---@field closed true?
local Connection = {}
Connection.__index = Connection

local sqlite_connection = {}

-- Seconds between attempts while another process holds the lock: short at first, then longer.
local SHORTEST, LONGEST = 0.001, 0.02

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

local function fail(message)
  error(setmetatable({ message = message }, Failure), 0)
end

--- Only within `guarded` and `transaction`, as `rows` and `value`.
---@param statement string
---@return integer|table  the number of rows changed, or a cursor
function Connection:execute(statement)
  local result, message = self.connection:execute(statement)
  if not result then fail(message) end
  return result
end

--- All rows of a query, as lists of columns.
---@param query string
---@return any[][]
function Connection:rows(query)
  local cursor, list = self:execute(query), {}
  if type(cursor) == "number" then return list end
  local row = cursor:fetch({}, "n")
  while row and next(row) ~= nil do -- LuaSQL 2.8 returns an empty first row from an empty result
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

-- Sets how long SQLite itself waits for the lock; it blocks the whole process meanwhile.
local function set_driver_timeout(self, milliseconds)
  if self.driver_timeout == milliseconds then return end
  self:rows(("PRAGMA busy_timeout = %d"):format(milliseconds))
  self.driver_timeout = milliseconds
end

local function prepare(self)
  self:rows("PRAGMA journal_mode = WAL")
  self:rows("PRAGMA synchronous = NORMAL")
  for _, statement in ipairs(sqlite_file.schema) do self:execute(statement) end
end

local function disconnect(self)
  if self.connection then self.connection:close() end
  if self.environment then self.environment:close() end
  self.connection, self.environment, self.to_disk, self.driver_timeout, self.identity = nil, nil, nil, nil, nil
end

-- The files that SQLite keeps beside a database while it is open.
local BESIDE = { "-wal", "-shm" }

-- Whether the open file is not the file of that name any more. Events that are stored in it would be lost.
local function is_replaced(self)
  return self.identity and core.file_identity(self.path) ~= self.identity
end

-- Closes a file that was removed or replaced, and removes SQLite's further files of it: SQLite would treat them as parts
-- of the new file.
local function leave_replaced(self)
  pcall(self.rows, self, "PRAGMA wal_checkpoint(FULL)") -- into the old file, which may have another name now
  local path, beside = self.path, self.beside
  disconnect(self)
  for name, identity in pairs(beside) do
    if core.file_identity(path .. name) == identity then os.remove(path .. name) end
  end
end

-- Creates the file with mode 600; SQLite gives its further files the same mode. Returns the identity of the file.
local function make_file(self)
  self.path = self.path or assert(core.absolute_path(self.file))
  local made, message = core.make_private(self.path)
  if made then made, message = core.can_write(self.path) end
  if not made then fail(message) end
  return core.file_identity(self.path)
end

local function connect(self, driver_timeout)
  local identity = self.file ~= ":memory:" and make_file(self) or nil
  self.environment = require("luasql.sqlite3").sqlite3()
  local connection, message = self.environment:connect(self.path or self.file)
  if not connection then fail(message) end
  self.connection = connection
  set_driver_timeout(self, driver_timeout)
  prepare(self)
  self.identity, self.beside = identity, {}
  for _, name in ipairs(BESIDE) do self.beside[name] = identity and core.file_identity(self.path .. name) end
end

local function open(self, driver_timeout)
  if self.connection and is_replaced(self) then leave_replaced(self) end
  if self.connection then return set_driver_timeout(self, driver_timeout) end
  local ok, failure = pcall(connect, self, driver_timeout)
  if not ok then
    disconnect(self)
    error(failure, 0)
  end
end

-- Returns the function with which the code can wait while other coroutines run; nil outside an event loop; false in a
-- phase of nginx that can't wait.
local function find_pause()
  local is_known, name = pcall(runtime.loop_name)
  if not is_known or name == "blocking" then return nil end
  if name == "nginx" then return runtime.can_wait_in_nginx() and runtime.sleep or false end
  local loop = runtime.loop(name)
  return runtime.can_wait_in_loop(loop) and loop.sleep or nil
end

local BUSY = "database is locked"

-- Makes an error object that names the file from an error of the driver.
local function unavailable(self, failure)
  local message = tostring(failure.message):gsub("^LuaSQL: ", "")
  if message:find(BUSY, 1, true) then
    message = ("another process has held its lock for %g s (option busy_timeout)"):format(self.busy_timeout)
  end
  return policy.unavailable(("the inbox's file %s: %s"):format(self.path or self.file, message))
end

--- Runs `work`; makes error objects from errors of the driver. Opens the file at the first use. While another process
--- holds its lock, repeats `work` until the busy timeout is over.
---@param work fun(): any, any  must have no effect when it raises
---@return any result  of `work`; or nil and a `waba.Error`
---@return any second
function Connection:guarded(work)
  if self.closed then error("this inbox is closed", 3) end
  local pause, deadline, step = find_pause(), core.clock() + self.busy_timeout, SHORTEST
  local driver_timeout = pause == nil and self.busy_timeout * 1000 or 0
  while true do
    local ok, result, second = pcall(function()
      open(self, driver_timeout)
      return work()
    end)
    if ok and second == nil then return result end
    if ok then return result, second end
    if getmetatable(result) ~= Failure then error(result, 0) end
    local left = deadline - core.clock()
    if not pause or left <= 0 or not tostring(result.message):find(BUSY, 1, true) then
      return nil, unavailable(self, result)
    end
    pause(math.min(step, left)) -- no transaction is open: other coroutines may use the connection meanwhile
    step = math.min(2 * step, LONGEST)
    if self.closed then return nil, policy.unavailable("the inbox was closed") end
  end
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
    if not ok then
      self.connection:execute "ROLLBACK"
      error(result, 0)
    end
    if is_replaced(self) then fail("it was removed or replaced while it was written") end
    return result, second
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
