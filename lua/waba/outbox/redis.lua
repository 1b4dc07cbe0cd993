-- The outbox in Redis, for many programs that put messages and many senders on many machines.

local option = require "waba.option"
local outbox = require "waba.outbox.outbox"
local redis_connection = require "waba.store.redis.connection"
local store = require "waba.store.redis"

local redis = {}

--- The options of `waba.outbox.redis`.
---@options waba.RedisOutboxOptions : waba.OutboxOptions, waba.RedisAddress
local OPTIONS = option.with(outbox.OPTIONS, option.with(redis_connection.OPTIONS, {
  prefix = { "string", "{waba:outbox}" }, -- prefix of all keys; in a cluster its braces keep the keys on one node
}))

--- Makes an outbox in Redis (6 or newer). Connects to Redis at the first use. The settings `appendonly` and
--- `appendfsync` of the Redis server determine how durable the entries are.
---@param options? waba.RedisOutboxOptions
---@return waba.Outbox
function redis.new(options)
  local settings = outbox.settings(options, OPTIONS, "waba.outbox.redis")
  return outbox.new(store.new(settings), settings)
end

return redis
