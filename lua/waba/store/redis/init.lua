-- The store in Redis (6 or newer), for processes on several machines. store/contract.lua describes the methods, and
-- store/redis/script.lua describes the keys. The settings of the server determine which entries survive a crash.

local class = require "waba.store.class"
local redis_connection = require "waba.store.redis.connection"
local script = require "waba.store.redis.script"

---@class waba.RedisStore : waba.Store
local Redis = class("redis", { durable = true })

Redis.close = script.close

local redis = {}

--- Makes a store in Redis. The store connects at its first use.
---@param settings waba.StoreSettings
---@return waba.RedisStore
function redis.new(settings)
  local store = setmetatable({
    prefix = settings.prefix, attempts = settings.attempts, remember = settings.remember, lanes = settings.lanes,
    beside = settings.beside or {}, title = settings.title, digests = {}, numbers = 0, look_at = 0,
    lost_tokens = {}, -- the tokens of `take` calls whose replies were lost
  }, Redis)
  script.connect(store, redis_connection.new(settings, settings.name, 3))
  return store
end

return redis
