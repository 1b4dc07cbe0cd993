-- The store in Redis (6 or newer), for many processes on many machines. ../contract.lua describes the methods, and
-- script.lua the keys. The settings `appendonly` and `appendfsync` of the Redis server determine what survives a crash
-- of the server.

local class = require "waba.store.class"
local redis_connection = require "waba.store.redis.connection"
local script = require "waba.store.redis.script"

---@class waba.RedisStore : waba.Store
local Redis = class("redis", { durable = true })

Redis.close = script.close

local redis = {}

--- Makes a store in Redis. Connects at the first use. `attempts`, `remember`, `lanes` and `title` are the options of
--- `waba.store.memory`. `prefix` is the prefix of all keys; in a cluster its braces keep the keys on one node. `name`
--- is the name of the public function that makes the store, for errors.
---@param settings { prefix: string, name: string, host: string, port: integer, timeout: number, [string]: any }
---@return waba.RedisStore
function redis.new(settings)
  local store = setmetatable({
    prefix = settings.prefix, attempts = settings.attempts, remember = settings.remember, lanes = settings.lanes,
    title = settings.title, digests = {}, numbers = 0, look_at = 0,
    lost_tokens = {}, -- the tokens of calls of `take` whose replies were lost
  }, Redis)
  script.connect(store, redis_connection.new(settings, settings.name, 3))
  return store
end

return redis
