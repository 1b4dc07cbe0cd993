-- The outbox in one SQLite file: survives the end of the process at any moment, and may be shared by several processes of
-- one machine.

local library = require "waba.library"
local option = require "waba.option"
local outbox = require "waba.outbox.outbox"
local sqlite_file = require "waba.store.sqlite_file"
local store = require "waba.store.sqlite"

local sqlite = {}

--- The options of `waba.outbox.sqlite`.
---@options waba.SqliteOutboxOptions : waba.OutboxOptions
local OPTIONS = option.with(outbox.OPTIONS, {
  file = "string",                   -- required: the database, not that of an inbox; it and its directory must be
                                     -- writable. Created with mode 600, for its owner only
  busy_timeout = { "number>=0", 5 }, -- seconds to wait for another process's write. In nginx, in `waba.run`, cqueues and
                                     -- copas other coroutines run meanwhile
  sync = { "boolean", true },        -- true: `put` returns when the disk has the entries, and nothing is sent before the
                                     -- disk has that it will be, so that both survive a power failure. false: they
                                     -- survive the end of the process; after a power failure a message may be sent twice
})

--- An outbox in a SQLite file. The file is opened at the first use, so that a process may fork before. Raises when it
--- certainly can't be opened, or is not a database.
---@param options waba.SqliteOutboxOptions|string  a string is the option `file`
---@return waba.Outbox
function sqlite.new(options)
  if type(options) == "string" then options = { file = options } end
  local settings = outbox.settings(options, OPTIONS, "waba.outbox.sqlite")
  if not settings.file then error("waba.outbox.sqlite: option file is required", 2) end
  library.load("dbd.sqlite3", "luadbi-sqlite3", "lua-dbi-sqlite3", "waba.outbox.sqlite", 2)
  local reason = sqlite_file.file_error(settings.file)
  if reason then error("waba.outbox.sqlite: option file: " .. reason, 2) end
  settings.application = sqlite_file.OUTBOX
  return outbox.new(store.new(settings), settings)
end

return sqlite
