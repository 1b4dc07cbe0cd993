-- Rate limits in Redis, which processes on several machines share.

local option = require "waba.option"
local redis_connection = require "waba.store.redis.connection"
local rules = require "waba.pace.rules"
local store = require "waba.pace.store"

local redis = {}

---@options waba.RedisPaceOptions : waba.PaceStoreOptions, waba.RedisAddress
local OPTIONS = option.with(redis_connection.OPTIONS, {
  prefix = { "string", "waba:pace" }, -- the prefix of all keys; after the prefix, a key has a colon and, in
                                      -- braces, a hash of the API key
  timeout = { "number>0", 0.5 },      -- seconds to connect, and for each call; outside nginx, a call blocks the process
})

-- The script uses the clock of Redis, because the clocks of the machines may differ.
local SCRIPT = ([[
local rules = (function()
%s
end)()
local db = {}
function db.get(name) return redis.call("GET", KEYS[1] .. ":" .. name) or nil end
function db.set(name, text, milliseconds)
  redis.call("SET", KEYS[1] .. ":" .. name, text, "PX", string.format("%%.0f", milliseconds))
end
local time = redis.call("TIME")
return rules(db, time[1] * 1000000 + time[2], ARGV)
]]):format(rules)

local function is_unknown(message) return message and message:find "NOSCRIPT" ~= nil end

-- Sends one command. Returns the reply, or nil and an error text.
local function call(connection, name, words)
  local replies, messages = connection.call({ words }, name)
  if not replies then return nil, messages end
  return replies[1], messages and messages[1]
end

--- Makes a store of rate limits in Redis (6 or newer). All processes with the same API key share its rates.
---@param options? waba.RedisPaceOptions
---@return waba.PaceStore
function redis.new(options)
  local settings = store.settings(options, OPTIONS, "waba.pace.redis")
  local connection = redis_connection.new(settings, "waba.pace.redis", 2)
  local prefix, digest = settings.prefix, ""

  local function execute(name, words)
    local command = { "EVALSHA", digest, "1", ("%s:{%s}"):format(prefix, name) }
    for index, word in ipairs(words) do command[4 + index] = tostring(word) end
    local reply, message = nil, "NOSCRIPT"
    if digest ~= "" then reply, message = call(connection, name, command) end
    -- In a cluster, `connection` may send EVALSHA to a node that does not have the script; then both commands
    -- are sent again.
    for _ = 1, is_unknown(message) and 2 or 0 do
      local loaded
      loaded, message = connection.load(SCRIPT, name)
      if not loaded then return nil, message end
      digest, command[2] = loaded, loaded
      reply, message = call(connection, name, command)
      if not is_unknown(message) then break end
    end
    return reply, message
  end

  local place = settings.path or settings.host .. ":" .. settings.port
  return store.new(execute, ("the Redis of waba.pace.redis (%s)"):format(place), settings)
end

return redis
