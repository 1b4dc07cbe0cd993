-- `waba.inbox`: makes an inbox over a store in memory, in a SQLite file or in Redis (store/memory, store/sqlite and
-- store/redis have the SQL and the commands).

local inbox = require "waba.inbox.inbox"
local option = require "waba.option"
local redis_connection = require "waba.store.redis.connection"
local sqlite_file = require "waba.store.sqlite.file"

---@class waba.InboxBackends
local backends = {}

--- The options of `waba.inbox.memory`.
---@options waba.MemoryInboxOptions : waba.InboxOptions
local MEMORY = option.with(inbox.OPTIONS, {
  remember = { "number>0", 2 * 86400 }, -- seconds for which duplicates are recognised; the keys of all
                                        -- events of this time use memory
  max = { "integer>=0", 100000 },       -- the largest number of waiting events; `put` refuses further events
  seen = "table|userdata",              -- stores the keys of recent events; with a shared dictionary of nginx
                                        -- (`ngx.shared.name`) all workers recognise the duplicates
})

--- Makes an inbox in the memory of this process, for scripts, tests and small bots. Events in memory are lost when the
--- process ends.
---@param options? waba.MemoryInboxOptions
---@return waba.Inbox
function backends.memory(options)
  local settings = inbox.settings(options, MEMORY, "waba.inbox.memory")
  return inbox.new(require("waba.store.memory").new(settings), settings)
end

--- The options of `waba.inbox.sqlite`.
---@options waba.SqliteInboxOptions : waba.InboxOptions, waba.SqliteFile
local SQLITE = option.with(inbox.OPTIONS, option.with(sqlite_file.OPTIONS, {
  sync = { "boolean", true },        -- true: `put` returns when the disk has written the events, so that they survive a
                                     -- power failure; an nginx worker is blocked during the write (see
                                     -- bench/webhook.lua). false: the events survive the end of the process only
}))

--- Makes an inbox in one SQLite file. The events survive the end of the process at any moment, and several processes of
--- one machine may share the file. The file is opened at the first use, so a process may fork before the first use.
--- Raises an error if the file cannot be opened, is not a database, or has the tables of another program.
---@param options waba.SqliteInboxOptions|string  a string is the path of the file
---@return waba.Inbox
function backends.sqlite(options)
  local settings = inbox.settings(sqlite_file.read_options(options), SQLITE, "waba.inbox.sqlite")
  return inbox.new(require("waba.store.sqlite").new(settings), settings)
end

--- The options of `waba.inbox.redis`.
---@options waba.RedisInboxOptions : waba.InboxOptions, waba.RedisAddress
local REDIS = option.with(inbox.OPTIONS, option.with(redis_connection.OPTIONS, {
  prefix = { "string", "{waba}" }, -- prefix of all keys; in a cluster its braces keep the keys on one node
  group = "string",                -- an option of earlier versions; has no effect
  consumer = "string",             -- an option of earlier versions; has no effect
}))

--- Makes an inbox in Redis (6 or newer), for many receivers and workers on many machines. Connects to Redis at the
--- first use. The settings `appendonly` and `appendfsync` of the Redis server determine what survives a crash of the
--- server.
---@param options? waba.RedisInboxOptions
---@return waba.Inbox
function backends.redis(options)
  local settings = inbox.settings(options, REDIS, "waba.inbox.redis")
  return inbox.new(require("waba.store.redis").new(settings), settings)
end

return backends
