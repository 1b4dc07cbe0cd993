-- The store in one SQLite file. The entries survive the end of the process at any moment, and several processes of
-- one machine may share the file. ../contract.lua describes the methods, and file.lua the tables.

local class = require "waba.store.class"
local library = require "waba.library"
local owner = require "waba.store.owner"
local sqlite_connection = require "waba.store.sqlite.connection"
local sqlite_file = require "waba.store.sqlite.file"

---@class waba.SqliteStore : waba.Store
local Sqlite = class("sqlite", { durable = true, grouped = true })

function Sqlite:close()
  self.database:close()
end

local sqlite = {}

--- Makes a store in a file. The file is opened at the first use, so a process may fork before the first use.
--- `attempts`, `remember`, `lanes` and `title` are the options of `waba.store.memory`. If `sync` is true, `put` returns
--- when the disk has written the entries. `name` is the name of the public function that makes the store. If the file
--- can't be used, or the driver is not installed, an error with this name is raised at the caller of the public
--- function.
---@param settings { file: string, busy_timeout: number, sync: boolean, name: string, [string]: any }
---@return waba.SqliteStore
function sqlite.new(settings)
  if not settings.file then error(settings.name .. ": option file is required", 3) end
  library.load("dbd.sqlite3", "luadbi-sqlite3", "lua-dbi-sqlite3", settings.name, 3)
  local reason = sqlite_file.file_error(settings.file)
  if reason then error(settings.name .. ": option file: " .. reason, 3) end
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
