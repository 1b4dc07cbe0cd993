-- The inbox in one SQLite file. The events survive the end of the process at any moment, and several processes of one
-- machine may share the file.

local inbox = require "waba.inbox.inbox"
local library = require "waba.library"
local option = require "waba.option"
local sqlite_file = require "waba.store.sqlite.file"
local store = require "waba.store.sqlite"

local sqlite = {}

--- The options of `waba.inbox.sqlite`.
---@options waba.SqliteInboxOptions : waba.InboxOptions
local OPTIONS = option.with(inbox.OPTIONS, {
  file = "string",                   -- required: the database file; the process must be able to write to the file and
                                     -- to its directory. The file is created with mode 600, for its owner only. If the
                                     -- file is removed or replaced, the inbox opens the new file with this name
  busy_timeout = { "number>=0", 5 }, -- the longest wait in seconds for a write of another process. In nginx,
                                     -- `waba.run`, cqueues and copas, other coroutines run meanwhile
  sync = { "boolean", true },        -- true: `put` returns when the disk has written the events, so that they survive a
                                     -- power failure; an nginx worker is blocked during the write (see
                                     -- bench/webhook.lua). false: the events survive the end of the process only
})

--- Makes an inbox in a SQLite file. The file is opened at the first use, so a process may fork before that. Raises an
--- error if the file cannot be opened or is not a database.
---@param options waba.SqliteInboxOptions|string  a string is the path of the file
---@return waba.Inbox
function sqlite.new(options)
  if type(options) == "string" then options = { file = options } end
  local settings = inbox.settings(options, OPTIONS, "waba.inbox.sqlite")
  if not settings.file then error("waba.inbox.sqlite: option file is required", 2) end
  library.load("dbd.sqlite3", "luadbi-sqlite3", "lua-dbi-sqlite3", "waba.inbox.sqlite", 2)
  local reason = sqlite_file.file_error(settings.file)
  if reason then error("waba.inbox.sqlite: option file: " .. reason, 2) end
  return inbox.new(store.new(settings), settings, true)
end

return sqlite
