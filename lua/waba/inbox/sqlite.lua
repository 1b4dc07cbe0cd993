-- The inbox in one SQLite file: survives the end of the process at any moment, and may be shared by several processes of
-- one machine.

local inbox = require "waba.inbox.inbox"
local library = require "waba.library"
local option = require "waba.option"
local sqlite_file = require "waba.store.sqlite_file"
local store = require "waba.store.sqlite"

local sqlite = {}

--- The options of `waba.inbox.sqlite`.
---@options waba.SqliteInboxOptions : waba.InboxOptions
local OPTIONS = option.with(inbox.OPTIONS, {
  file = "string",                   -- required: the database; it and its directory must be writable. Created with mode
                                     -- 600, for its owner only. If it was removed or replaced, the file with this name is
                                     -- opened again
  busy_timeout = { "number>=0", 5 }, -- seconds to wait for another process's write. In nginx, in `waba.run`, cqueues and
                                     -- copas other coroutines run meanwhile
  sync = { "boolean", true },        -- true: `put` returns when the disk has the events, so that they survive a power
                                     -- failure; in nginx the worker waits for it (see bench/webhook.lua). false: they
                                     -- survive the end of the process
})

--- An inbox in a SQLite file. The file is opened at the first use, so that a process may fork before. Raises when it
--- certainly can't be opened, or is not a database.
---@param options waba.SqliteInboxOptions|string  a string is the file
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
