-- `waba.outbox`: makes an outbox over a store in memory, in a SQLite file or in Redis (store/memory, store/sqlite and
-- store/redis have the SQL and the commands).

local option = require "waba.option"
local outbox = require "waba.outbox.outbox"
local redis_connection = require "waba.store.redis.connection"
local sqlite_file = require "waba.store.sqlite.file"

---@class waba.OutboxBackends
local backends = {}

--- The options of `waba.outbox.memory`.
---@options waba.MemoryOutboxOptions : waba.OutboxOptions
local MEMORY = option.with(outbox.OPTIONS, {
  max = { "integer>=0", 100000 },    -- the largest number of waiting entries; `put` refuses further entries
  keep = { "number>0", 86400 },      -- seconds for which finished entries and their keys are kept in memory
})

--- Makes an outbox in the memory of this process, for scripts, tests and small bots. Entries in memory are lost when
--- the process ends.
---@param options? waba.MemoryOutboxOptions
---@return waba.Outbox
function backends.memory(options)
  local settings = outbox.settings(options, MEMORY, "waba.outbox.memory")
  return outbox.new(require("waba.store.memory").new(settings), settings)
end

--- The options of `waba.outbox.sqlite`.
---@options waba.SqliteOutboxOptions : waba.OutboxOptions, waba.SqliteFile
local SQLITE = option.with(outbox.OPTIONS, option.with(sqlite_file.OPTIONS, {
  sync = { "boolean", true },        -- true: `put` returns when the disk has written the entries, and a message is sent
                                     -- only when the disk has recorded that it will be sent, so that both survive a
                                     -- power failure. false: the entries survive the end of the process; after a power
                                     -- failure a message may be sent twice
}))

--- Makes an outbox in one SQLite file. The entries survive the end of the process at any moment, and several processes
--- of one machine may share the file. The file is opened at the first use, so a process may fork before the first use.
--- Raises an error if the file cannot be opened, is not a database, or has the tables of another program.
---@param options waba.SqliteOutboxOptions|string  a string is the path of the file
---@return waba.Outbox
function backends.sqlite(options)
  local settings = outbox.settings(sqlite_file.read_options(options), SQLITE, "waba.outbox.sqlite")
  settings.application = sqlite_file.OUTBOX
  return outbox.new(require("waba.store.sqlite").new(settings), settings)
end

--- The options of `waba.outbox.redis`.
---@options waba.RedisOutboxOptions : waba.OutboxOptions, waba.RedisAddress
local REDIS = option.with(outbox.OPTIONS, option.with(redis_connection.OPTIONS, {
  prefix = { "string", "{waba:outbox}" }, -- prefix of all keys; in a cluster its braces keep the keys on one node
}))

--- Makes an outbox in Redis (6 or newer), for many programs that put messages and many senders on many machines.
--- Connects to Redis at the first use. The settings `appendonly` and `appendfsync` of the Redis server determine how durable the
--- entries are.
---@param options? waba.RedisOutboxOptions
---@return waba.Outbox
function backends.redis(options)
  local settings = outbox.settings(options, REDIS, "waba.outbox.redis")
  return outbox.new(require("waba.store.redis").new(settings), settings)
end

return backends
