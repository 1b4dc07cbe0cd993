-- The store in one SQLite file. The entries survive the end of the process at any moment, and several processes of
-- one machine may share the file. ../contract.lua describes the methods, and file.lua the tables.

local class = require "waba.store.class"
local owner = require "waba.store.owner"
local sqlite_connection = require "waba.store.sqlite.connection"

---@class waba.SqliteStore : waba.Store
local Sqlite = class("sqlite", { durable = true, grouped = true })

function Sqlite:close()
  self.database:close()
end

local sqlite = {}

--- Makes a store in a file. The file is opened at the first use, so a process may fork before that. `attempts`,
--- `remember`, `lanes` and `title` are the options of `waba.store.memory`. If `sync` is true, `put` returns when the
--- disk has written the entries.
---@param settings { file: string, busy_timeout: number, sync: boolean, [string]: any }
---@return waba.SqliteStore
function sqlite.new(settings)
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
