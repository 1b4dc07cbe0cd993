-- The outbox in one SQLite file. The entries survive the end of the process at any moment, and several processes of one
-- machine may share the file.

local library = require "waba.library"
local option = require "waba.option"
local outbox = require "waba.outbox.outbox"
local sqlite_file = require "waba.store.sqlite.file"
local store = require "waba.store.sqlite"

local sqlite = {}

--- The options of `waba.outbox.sqlite`.
---@options waba.SqliteOutboxOptions : waba.OutboxOptions
local OPTIONS = option.with(outbox.OPTIONS, {
  file = "string",                   -- required: the database file, which must not be the file of an inbox; the
                                     -- process must be able to write to the file and to its directory. The file is
                                     -- created with mode 600, for its owner only
  busy_timeout = { "number>=0", 5 }, -- the longest wait in seconds for a write of another process. In nginx,
                                     -- `waba.run`, cqueues and copas, other coroutines run meanwhile
  sync = { "boolean", true },        -- true: `put` returns when the disk has written the entries, and a message is sent
                                     -- only when the disk has recorded that it will be sent, so that both survive a
                                     -- power failure. false: the entries survive the end of the process; after a power
                                     -- failure a message may be sent twice
})

--- Makes an outbox in a SQLite file. The file is opened at the first use, so a process may fork before that. Raises
--- an error if the file cannot be opened or is not a database.
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
