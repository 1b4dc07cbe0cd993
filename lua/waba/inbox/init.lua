-- `waba.inbox`: makes an inbox in memory, in a SQLite file or in Redis.

local inbox = require "waba.inbox.inbox"
local option = require "waba.option"
local redis_connection = require "waba.store.redis.connection"
local sqlite_file = require "waba.store.sqlite.file"

---@class waba.InboxBackends
local backends = {}

---@options waba.MemoryInboxOptions : waba.InboxOptions
local MEMORY = option.with(inbox.OPTIONS, {
  remember = { "number>0", 2 * 86400 }, -- the seconds for which duplicates are recognised; more seconds use more memory
  max = { "integer>=0", 100000 },       -- the largest number of waiting events; `put` refuses further events
  seen = "table|userdata",              -- a shared dictionary of nginx (`ngx.shared.name`) for the keys of events, so
                                        -- that each worker recognises duplicates of events of all workers
})

--- Makes an inbox in memory, for scripts, tests and small bots. The events are lost when the process ends.
---@param options? waba.MemoryInboxOptions
---@return waba.Inbox
function backends.memory(options)
  local settings = inbox.settings(options, MEMORY, "waba.inbox.memory")
  return inbox.new(require("waba.store.memory").new(settings), settings)
end

---@options waba.SqliteInboxOptions : waba.InboxOptions, waba.SqliteFile
local SQLITE = option.with(inbox.OPTIONS, option.with(sqlite_file.OPTIONS, {
  sync = { "boolean", true },        -- true: `put` returns after the events are written to the disk, so the events
                                     -- survive a power failure. The write blocks an nginx worker. false: the events
                                     -- survive a crash of the process, but not a power failure
}))

--- Makes an inbox in a SQLite file, which several processes of one machine may share. The events survive a crash of the
--- process. The inbox opens the file at its first use, so the process may fork before that. Raises an error if the file
--- can't be opened, is not a database, or has the tables of another program.
---@param options waba.SqliteInboxOptions|string  a string is the path of the file
---@return waba.Inbox
function backends.sqlite(options)
  local settings = inbox.settings(sqlite_file.read_options(options), SQLITE, "waba.inbox.sqlite")
  return inbox.new(require("waba.store.sqlite").new(settings), settings)
end

---@options waba.RedisInboxOptions : waba.InboxOptions, waba.RedisAddress
local REDIS = option.with(inbox.OPTIONS, option.with(redis_connection.OPTIONS, {
  prefix = { "string", "{waba}" }, -- the prefix of all keys; an outbox needs another prefix. The braces keep all keys
                                   -- on one node of a cluster
  group = "string",                -- an option of earlier versions; has no effect
  consumer = "string",             -- an option of earlier versions; has no effect
}))

--- Makes an inbox in Redis (6 or newer), for receivers and workers on several machines. Connects at the first use. The
--- settings `appendonly` and `appendfsync` of the server determine which events survive a crash of Redis.
---@param options? waba.RedisInboxOptions
---@return waba.Inbox
function backends.redis(options)
  local settings = inbox.settings(options, REDIS, "waba.inbox.redis")
  return inbox.new(require("waba.store.redis").new(settings), settings)
end

return backends
