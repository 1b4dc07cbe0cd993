-- `waba.outbox`: makes an outbox in memory, in a SQLite file or in Redis.

local option = require "waba.option"
local outbox = require "waba.outbox.outbox"
local redis_connection = require "waba.store.redis.connection"
local sqlite_file = require "waba.store.sqlite.file"

---@class waba.OutboxBackends
local backends = {}

---@options waba.MemoryOutboxOptions : waba.OutboxOptions
local MEMORY = option.with(outbox.OPTIONS, {
  max = { "integer>=0", 100000 },    -- the largest number of waiting entries; `put` refuses further entries
  keep = { "number>0", 86400 },      -- the seconds for which states and keys are kept after an entry is finished
})

--- Makes an outbox in memory, for scripts, tests and small bots. The entries are lost when the process ends.
---@param options? waba.MemoryOutboxOptions
---@return waba.Outbox
function backends.memory(options)
  local settings = outbox.settings(options, MEMORY, "waba.outbox.memory")
  return outbox.new(require("waba.store.memory").new(settings), settings)
end

---@options waba.SqliteOutboxOptions : waba.OutboxOptions, waba.SqliteFile
local SQLITE = option.with(outbox.OPTIONS, option.with(sqlite_file.OPTIONS, {
  sync = { "boolean", true },        -- true: the entries survive a power failure. `put` returns after the entries are
                                     -- written to the disk, and a sender writes to the disk before it sends a message.
                                     -- false: the entries survive a crash of the process, but after a power failure a
                                     -- message may be sent twice
}))

--- Makes an outbox in a SQLite file, which several processes of one machine may share. The entries survive a crash of
--- the process. The outbox opens the file at its first use, so the process may fork before that. Raises an error if
--- the file can't be opened, is not a database, or has the tables of another program.
---@param options waba.SqliteOutboxOptions|string  a string is the path of the file
---@return waba.Outbox
function backends.sqlite(options)
  local settings = outbox.settings(sqlite_file.read_options(options), SQLITE, "waba.outbox.sqlite")
  settings.application = sqlite_file.OUTBOX
  return outbox.new(require("waba.store.sqlite").new(settings), settings)
end

---@options waba.RedisOutboxOptions : waba.OutboxOptions, waba.RedisAddress
local REDIS = option.with(outbox.OPTIONS, option.with(redis_connection.OPTIONS, {
  prefix = { "string", "{waba:outbox}" }, -- the prefix of all keys; an inbox needs another prefix. The braces keep all
                                          -- keys on one node of a cluster
}))

--- Makes an outbox in Redis (6 or newer), for programs and senders on several machines. Connects at the first use. The
--- settings `appendonly` and `appendfsync` of the server determine which entries survive a crash of Redis.
---@param options? waba.RedisOutboxOptions
---@return waba.Outbox
function backends.redis(options)
  local settings = outbox.settings(options, REDIS, "waba.outbox.redis")
  return outbox.new(require("waba.store.redis").new(settings), settings)
end

return backends
