-- The store in a SQLite file, which several processes of one machine may share. Stored entries survive a crash of the
-- process. store/contract.lua describes the methods, and store/sqlite/file.lua describes the tables.

local class = require "waba.store.class"
local library = require "waba.library"
local owner = require "waba.store.owner"
local sqlite_connection = require "waba.store.sqlite.connection"
local sqlite_file = require "waba.store.sqlite.file"

---@class waba.SqliteStore : waba.Store
local Sqlite = class("sqlite", { durable = true, grouped = true })

function Sqlite:close() self.database:close() end

local sqlite = {}

--- Makes a store in a file. The store opens the file at its first use, so the process may fork before that. Raises an
--- error at the caller of the function `settings.name` if the file can't be used or the driver is not installed.
---@param settings waba.StoreSettings
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
  -- called at the first use, because the owner's name contains the process id, and the program may fork before this use
  function store.database.on_open() store.owner, store.is_registered, store.look_at = owner.name(), false, 0 end
  return store
end

return sqlite
