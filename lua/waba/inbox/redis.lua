-- The inbox in Redis, for many receivers and workers on many machines.

local inbox = require "waba.inbox.inbox"
local option = require "waba.option"
local redis_connection = require "waba.store.redis.connection"
local store = require "waba.store.redis"

local redis = {}

--- The options of `waba.inbox.redis`.
---@options waba.RedisInboxOptions : waba.InboxOptions, waba.RedisAddress
local OPTIONS = option.with(inbox.OPTIONS, option.with(redis_connection.OPTIONS, {
  prefix = { "string", "{waba}" }, -- prefix of all keys; in a cluster its braces keep the keys on one node
  group = "string",                -- an option of earlier versions; has no effect
  consumer = "string",             -- an option of earlier versions; has no effect
}))

--- An inbox in Redis (6 or newer). Connects to Redis at the first use. The settings `appendonly` and `appendfsync` of
--- the Redis server determine what survives a crash of the server.
---@param options? waba.RedisInboxOptions
---@return waba.Inbox
function redis.new(options)
  local settings = inbox.settings(options, OPTIONS, "waba.inbox.redis")
  return inbox.new(store.new(settings), settings, true)
end

return redis
