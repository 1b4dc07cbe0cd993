-- A connection to the file of a SQLite store, with prepared statements and transactions. The connection converts errors
-- of the driver to error objects, and detects that the file was removed or replaced. While a call waits for the lock of
-- another process, other coroutines of the event loop run.

local core = require "waba.core"
local errors = require "waba.errors"
local runtime = require "waba.runtime"
local sqlite_file = require "waba.store.sqlite.file"

local unpack = table.unpack or unpack

---@class waba.SqliteConnection
---@field path string?         the absolute path of the file; set at the first use
---@field identity string?     the identity of the open file, from core.file_identity
---@field beside table<string, string>?  for each suffix in BESIDE, the identity of the file with this suffix
---@field connection userdata?  the connection of the driver while the file is open
---@field statements table<string, userdata>  the prepared statements of the driver, by their text
---@field driver_timeout integer?  the present `PRAGMA busy_timeout` of SQLite, in milliseconds
---@field to_disk boolean?     true: `PRAGMA synchronous` is FULL, so each transaction waits for the disk
local Connection = {}
Connection.__index = Connection

local sqlite_connection = {}

-- The shortest and the longest pause in seconds between two attempts while another process has the lock.
local SHORTEST, LONGEST = 0.001, 0.02
-- The largest `PRAGMA busy_timeout`. With a larger number SQLite does not wait at all.
local MOST_MILLISECONDS = 2 ^ 31 - 1
-- SQLite copies its write-ahead log into the database when the log has this number of pages (16 MiB). An event writes
-- about nine pages. With SQLite's default of 1000 pages, one in a hundred webhooks would wait for the copy.
local LOG_PAGES = 4000
-- A volume that only the store uses can become full. Then entries can be taken and removed only if the log can be
-- copied into the database and begin again. For this, a transaction that adds entries leaves SPARE bytes. While the
-- volume has less than NEARLY_FULL bytes, the log is copied before each of these transactions.
local SPARE, NEARLY_FULL = 2 ^ 20, 2 * LOG_PAGES * 4096 + 2 ^ 20
local FULL = "database or disk is full"

--- Replaces NUL bytes of a text, because LuaDBI 0.7 reads a stored value only up to the first NUL byte.
function sqlite_connection.escape(text)
  -- a search for one byte costs much less than a search for a pattern
  if not text or not (text:find("\0", 1, true) or text:find("\1", 1, true)) then return text end
  return (text:gsub("[%z\1]", { ["\0"] = "\1z", ["\1"] = "\1\1" }))
end

function sqlite_connection.unescape(text)
  if not text or not text:find("\1", 1, true) then return text end
  return (text:gsub("\1(.)", { z = "\0", ["\1"] = "\1" }))
end

local Failure = {} -- the metatable of raised errors of the driver

local function fail(message)
  error(setmetatable({ message = sqlite_file.message(message) }, Failure), 0)
end

local AGAIN = {} -- raised by `begin_again`

--- Undoes the changes of the running transaction, and runs its work again.
function Connection.begin_again() error(AGAIN, 0) end

local function close_statement(self, sql)
  self.statements[sql]:close()
  self.statements[sql] = nil
end

-- The methods of the driver's statements, set by `prepare`. The driver needs more time to find a method than to run it.
local execute_statement, fetch_row, affected_rows

local function prepare(self, sql)
  local statement, message = self.connection:prepare(sql)
  if not statement then fail(message) end
  execute_statement, fetch_row, affected_rows = statement.execute, statement.fetch, statement.affected
  self.statements[sql] = statement
  return statement
end

-- Runs and returns a statement. A failed statement is closed, because the driver would report the old error again.
local function execute(self, sql, ...)
  local statement = self.statements[sql] or prepare(self, sql)
  local ok, message = execute_statement(statement, ...)
  if ok then return statement end
  close_statement(self, sql)
  fail(message)
end

-- Returns the next row of a statement; nil after the last row.
local function fetch(self, sql, statement)
  local ok, row = pcall(fetch_row, statement)
  if ok then return row end
  close_statement(self, sql)
  fail(row)
end

--- Runs a statement that returns no rows, and returns the number of changed rows. The methods `run`, `rows`, `row` and
--- `value` may be called only within `guarded` or `transaction`.
function Connection:run(sql, ...) return affected_rows(execute(self, sql, ...)) end

--- Returns all rows of a query. Each row is a list of columns.
function Connection:rows(sql, ...)
  local statement, list = execute(self, sql, ...), {}
  for index = 1, math.huge do
    local row = fetch(self, sql, statement)
    if not row then return list end
    list[index] = row
  end
end

--- Returns the row of a query that returns at most one row; nil without a row. With other queries, the statement would
--- not end, and SQLite could not copy later changes from the log.
function Connection:row(sql, ...) return fetch(self, sql, execute(self, sql, ...)) end

--- Returns the first column of the row of a query that returns at most one row.
function Connection:value(sql, ...)
  local row = fetch(self, sql, execute(self, sql, ...))
  return row and row[1]
end

-- The largest number of rows that one statement inserts, and the number of rows of the smaller statements.
local SIZES = { 16, 8, 4, 2, 1 }
local texts = {} -- the texts of the statements by their number of rows, by the text for one row

-- Returns a statement for `count` rows.
local function text_for(sql, columns, count)
  local by_count = texts[sql] or {}
  texts[sql] = by_count
  if by_count[count] then return by_count[count] end
  local head, row = sql:match "^(.- VALUES )(.*)$"
  local rows = {}
  for index = 1, count do
    local at = (index - 1) * columns
    rows[index] = row:gsub("%?(%d)", function(number) return ("?%d"):format(number + at) end)
  end
  by_count[count] = head .. table.concat(rows, ", ")
  return by_count[count]
end

--- Inserts rows, and returns the number of inserted rows. `sql` is the statement for one row with the parameters ?1 to
--- ?9 at most. The list has the parameters of all rows; `size` is their number.
function Connection:insert(sql, columns, list, size)
  local first, inserted = 1, 0
  for _, count in ipairs(SIZES) do
    local text, width = text_for(sql, columns, count), count * columns
    while size - first + 1 >= width do
      inserted = inserted + self:run(text, unpack(list, first, first + width - 1))
      first = first + width
    end
  end
  return inserted
end

-- The seconds between core.clock and SQLite's clock. SQLite's clock has milliseconds only, so all connections of the
-- process share one offset. With different offsets, a new entry could have a future time by the clock of another
-- connection.
local clock_offset

--- Returns Unix seconds with microseconds, by the clock of the machine.
function Connection:now()
  local now = clock_offset and core.clock() + clock_offset
  if not now or math.abs(now - os.time()) > 2 then -- true at the first use, and after the machine's clock was set
    now = self:value "SELECT (julianday('now') - 2440587.5) * 86400.0"
    clock_offset = now - core.clock()
  end
  return now
end

--- Runs a pragma in a new statement, because some pragmas require a new statement. Returns the first column of
--- the first row.
function Connection:pragma(text)
  local sql = "PRAGMA " .. text
  local value = self:value(sql)
  close_statement(self, sql)
  return value
end

-- Sets how long SQLite waits for the lock. While SQLite waits, the whole process is blocked.
local function set_driver_timeout(self, milliseconds)
  if self.driver_timeout == milliseconds then return end
  self:pragma(("busy_timeout = %.0f"):format(milliseconds))
  self.driver_timeout = milliseconds
end

local function disconnect(self)
  for sql in pairs(self.statements) do close_statement(self, sql) end
  if self.connection then self.connection:close() end
  self.connection, self.to_disk, self.driver_timeout, self.identity = nil, nil, nil, nil
end

local BESIDE = { "-wal", "-shm" } -- the suffixes of the files that SQLite keeps beside an open database

-- Returns whether the open file was removed or replaced. Entries that are stored in a removed file would be lost.
local function is_replaced(self)
  return self.identity and core.file_identity(self.path) ~= self.identity
end

-- Closes a file that was removed or replaced, and removes the old files with the suffixes in BESIDE. Otherwise SQLite
-- would treat the old files as parts of the new database.
local function leave_replaced(self)
  pcall(self.pragma, self, "wal_checkpoint(FULL)") -- copies the log into the old file, which may exist under a new name
  local path, beside = self.path, self.beside
  disconnect(self)
  for name, identity in pairs(beside) do
    if core.file_identity(path .. name) == identity then os.remove(path .. name) end
  end
end

-- Creates the file with mode 600 if it does not exist. SQLite gives the mode of this file to the files with the
-- suffixes in BESIDE.
local function make_file(self)
  self.path = self.path or assert(core.absolute_path(self.file))
  local made, message = core.make_private(self.path)
  if made then made, message = core.can_write(self.path) end
  if not made then fail(message) end
  return core.file_identity(self.path)
end

local function connect(self, driver_timeout)
  local identity = self.file ~= ":memory:" and make_file(self) or nil
  local connection, message = require("dbd.sqlite3").New(self.path or self.file)
  if not connection then fail(message) end
  self.connection = connection
  connection:autocommit(true) -- the driver begins no transactions, because the method `transaction` does
  set_driver_timeout(self, driver_timeout)
  message = sqlite_file.foreign_error(self)
  if message then fail(message) end
  self:pragma("journal_mode = WAL")
  self:pragma("synchronous = NORMAL")
  self:pragma("wal_autocheckpoint = " .. LOG_PAGES)
  -- Debian's SQLite fills removed rows with zeros. With FAST it does so only in pages that it writes anyway.
  self:pragma("secure_delete = FAST")
  message = sqlite_file.make_tables(self)
  if message then fail(message) end
  self.identity, self.beside = identity, {}
  for _, name in ipairs(BESIDE) do self.beside[name] = identity and core.file_identity(self.path .. name) end
  if self.on_open then self.on_open() end
end

-- Opens the file if it is not open, and runs `work`.
local function attempt(self, work, driver_timeout)
  if self.connection and is_replaced(self) then leave_replaced(self) end
  if not self.connection then
    local ok, failure = pcall(connect, self, driver_timeout)
    if not ok then
      disconnect(self)
      error(failure, 0)
    end
  end
  set_driver_timeout(self, driver_timeout)
  return work()
end

-- Returns the function that suspends a coroutine; nil outside of event loops; false if code in nginx can't wait.
local function find_pause()
  local is_known, name = pcall(runtime.loop_name)
  if not is_known or name == "blocking" then return nil end
  if name == "nginx" then return runtime.can_wait_in_nginx() and runtime.sleep or false end
  local loop = runtime.loop(name)
  return runtime.can_wait_in_loop(loop) and loop.sleep or nil
end

-- Copies the log into the database. The next transaction then writes at the start of the log. Has no effect on an error.
local function copy_log(self)
  if self.connection then pcall(self.pragma, self, "wal_checkpoint(PASSIVE)") end
end

-- Raises an error if the volume and the unused pages of the database have too little space for new entries with this
-- number of bytes.
local function leave_space(self, bytes)
  local free = self.identity and core.free_space(self.path)
  if not free or free >= NEARLY_FULL + 4 * bytes then return end
  copy_log(self)
  free = (core.free_space(self.path) or 0) + self:pragma "freelist_count" * self:pragma "page_size"
  if free < SPARE + 4 * bytes then fail(FULL) end
end

local BUSY = "database is locked"

local function unavailable(self, failure)
  local message = tostring(failure.message)
  if message:find(BUSY, 1, true) then
    message = ("another process has held its lock for %g s, the option busy_timeout"):format(self.busy_timeout)
  end
  message = ("%s's file %s: %s"):format(self.title, self.path or self.file, message)
  return errors.new { kind = "unavailable", message = message, retryable = true }
end

--- Opens the file at the first use, and runs `work`. While another process has the lock, repeats `work` until the busy
--- timeout is over. If the disk is full, copies the log and repeats `work` once. Returns the results of `work`; or nil
--- and a `waba.Error` after an error of the driver.
---@param work fun(): any, any  must have no effect if it raises an error
function Connection:guarded(work)
  if self.closed then error(self.title:gsub("^the ", "this ") .. " is closed", 3) end
  local driver_timeout, pause, deadline, step, was_full = 0, nil, nil, nil, false
  while true do
    local ok, result, second = pcall(attempt, self, work, driver_timeout)
    if ok then return result, second end
    if result == AGAIN then return self:guarded(work) end
    if getmetatable(result) ~= Failure then error(result, 0) end
    if not deadline then pause, deadline, step = find_pause(), core.clock() + self.busy_timeout, SHORTEST end
    local left = deadline - core.clock()
    local is_full = not was_full and tostring(result.message):find(FULL, 1, true)
    if not is_full and (pause == false or left <= 0 or not tostring(result.message):find(BUSY, 1, true)) then
      return nil, unavailable(self, result)
    end
    if is_full then
      was_full = true
      copy_log(self)
    elseif pause then
      pause(math.min(step, left)) -- other coroutines may use the connection, because no transaction is open
      step = math.min(2 * step, LONGEST)
    else
      driver_timeout = math.min(math.ceil(left * 1000), MOST_MILLISECONDS)
    end
    if self.closed then
      return nil, errors.new { kind = "unavailable", message = self.title .. " was closed", retryable = true }
    end
  end
end

--- Runs `work` in one transaction, as `guarded` does.
---@param work fun(): any, any
---@param to_disk? boolean  true: the changes are on the disk when this function returns; with true or false, the
---        transaction fails if the file is removed or replaced during the transaction; nil: without this check
---@param bytes? integer  the size of the entries that the transaction adds
function Connection:transaction(work, to_disk, bytes)
  return self:guarded(function()
    if bytes then leave_space(self, bytes) end
    if (to_disk or false) ~= self.to_disk then
      self:pragma(to_disk and "synchronous = FULL" or "synchronous = NORMAL")
      self.to_disk = to_disk or false
    end
    self:run "BEGIN IMMEDIATE"
    local ok, result, second = pcall(work)
    if ok then
      local failure
      ok, failure = pcall(self.run, self, "COMMIT")
      if not ok then result = failure end
    end
    if not ok then
      pcall(self.run, self, "ROLLBACK")
      error(result, 0)
    end
    if to_disk ~= nil and is_replaced(self) then fail("it was removed or replaced while it was written") end
    return result, second
  end)
end

function Connection:close()
  disconnect(self)
  self.closed = true
end

--- Makes a connection. `application` is the `PRAGMA application_id` of the file.
function sqlite_connection.new(file, busy_timeout, title, application)
  return setmetatable({
    file = file, busy_timeout = busy_timeout, title = title, application = application or 0, statements = {},
  }, Connection)
end

return sqlite_connection
