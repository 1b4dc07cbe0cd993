-- The inbox in Redis: many receivers and workers on many machines. Streams and a consumer group
-- carry the conversations to the workers (redis_scripts.lua). The contract is in contract.lua.

local core = require "waba.core"
local customers = require "waba.inbox.customers"
local keys = require "waba.inbox.keys"
local options = require "waba.options"
local policy = require "waba.inbox.policy"
local record = require "waba.inbox.record"
local redis_connection = require "waba.inbox.redis_connection"
local scripts = require "waba.inbox.redis_scripts"

local unpack = table.unpack or unpack -- luacheck: ignore 143

---@class waba.RedisInbox : waba.Inbox
local Redis = {}
Redis.__index = Redis
Redis.__name = "waba.inbox.redis"
Redis.durable = true

-- A connection knows a password: it is kept out of the inbox's own fields.
local connections = setmetatable({}, { __mode = "k" })

local function call(inbox, ...)
  local connection = connections[inbox]
  if not connection then error("this inbox is closed", 3) end
  return connection.call(...)
end

-- Runs a script by its digest, and hands it over when Redis does not know it (yet, or any more).
local function run(inbox, name, ...)
  local words = { "0", inbox.prefix, inbox.group, ... }
  local digest, reply, message = inbox.digests[name], nil, "NOSCRIPT"
  if digest then reply, message = call(inbox, "EVALSHA", digest, unpack(words)) end
  if reply == nil and message and message:find("NOSCRIPT", 1, true) then
    digest, message = call(inbox, "SCRIPT", "LOAD", scripts[name])
    if digest then
      inbox.digests[name] = digest
      reply, message = call(inbox, "EVALSHA", digest, unpack(words))
    end
  end
  if reply == nil then return nil, policy.unavailable("the inbox's Redis: " .. tostring(message)) end
  return reply
end

local function lease_of(inbox, event)
  return inbox.leases[event] or error("this event was not taken from this inbox", 3)
end

-- Runs a script about one lease; 0 means that it was lost.
local function run_leased(inbox, name, event, ...)
  local lease = lease_of(inbox, event)
  local reply, err = run(inbox, name, lease.id, lease.queue, tostring(lease.attempts), ...)
  if reply == nil then return nil, err end
  if reply == 0 then return nil, policy.lease_lost() end
  return reply
end

-- A lease, a delay or a time to remember as Redis reads it.
local function decimal(seconds)
  return ("%.6f"):format(seconds)
end

-- A batch goes as one argument, so that its length is not bounded by what a Lua call can take.
local function pack(words)
  for index, word in ipairs(words) do words[index] = #word .. ":" .. word end
  return table.concat(words)
end

function Redis:put(events)
  local words = {}
  for _, event in ipairs(events) do
    local lane, names = keys.conversation(event, self.separate_statuses)
    for _, word in ipairs { keys.identity(event) or "", "customer:" .. lane, tostring(#names) } do
      words[#words + 1] = word
    end
    for _, name in ipairs(names) do words[#words + 1] = name end
    words[#words + 1] = record.encode(event)
  end
  return run(self, "put", ("%d"):format(math.ceil(self.remember * 1000)), ("%d"):format(customers.REMEMBER * 1000),
    pack(words))
end

function Redis:take(n, lease)
  local reply, err = run(self, "take", self.consumer, ("%d"):format(n or 1), decimal(lease or policy.LEASE),
    ("%d"):format(self.retry.attempts))
  if not reply then return nil, err end
  local taken = {}
  for index = 1, #reply, 5 do
    local event = record.decode(reply[index + 3])
    self.leases[event] = {
      id = reply[index], queue = reply[index + 1], attempts = tonumber(reply[index + 2]), digest = reply[index + 4],
    }
    taken[#taken + 1] = event
  end
  return taken
end

function Redis:attempts(event)
  local lease = self.leases[event]
  return lease and lease.attempts or 0
end

function Redis:extend(event, seconds)
  local reply, err = run_leased(self, "extend", event, decimal(seconds or policy.LEASE))
  if not reply then return nil, err end
  return true
end

function Redis:ack(event, is_done)
  local words, list = {}, policy.as_list(event)
  for _, one in ipairs(list) do
    local lease = lease_of(self, one)
    for _, word in ipairs { lease.id, lease.queue, tostring(lease.attempts), is_done and lease.digest or "" } do
      words[#words + 1] = word
    end
  end
  local count, err = run(self, "ack", unpack(words))
  if not count then return nil, err end
  if count < #list then return nil, policy.lease_lost() end
  return true
end

function Redis:fail(event, reason, is_final)
  local delay = policy.delay(self.retry, lease_of(self, event).attempts)
  local attempts = is_final and 0 or self.retry.attempts
  local reply, err = run_leased(self, "fail", event, ("%d"):format(attempts), decimal(delay),
    tostring(reason or "no reason was given"))
  if not reply then return nil, err end
  return reply ~= 2 and delay
end

function Redis:release(event)
  local reply, err = run_leased(self, "release", event)
  if not reply then return nil, err end
  return true
end

function Redis:set_aside(n)
  local reply, err = run(self, "list_aside", ("%d"):format(n or 100))
  if not reply then return nil, err end
  local list = {}
  for index = 1, #reply, 4 do
    list[#list + 1] = {
      event = record.decode(reply[index]), attempts = tonumber(reply[index + 1]),
      reason = reply[index + 2], at = tonumber(reply[index + 3]),
    }
  end
  return list
end

function Redis:revive()
  return run(self, "revive")
end

function Redis:depth()
  return run(self, "depth")
end

function Redis:next_due()
  return tonumber((run(self, "next_due")))
end

function Redis:close()
  local connection = connections[self]
  if not connection then return end
  if self.own_name and next(self.digests) then run(self, "leave", self.consumer) end
  connection.close()
  connections[self] = nil
end

local redis = {}

--- The options of `waba.inbox.redis`.
---@options waba.RedisInboxOptions : waba.InboxOptions, waba.RedisAddress
local OPTIONS = options.with(policy.OPTIONS, options.with(redis_connection.OPTIONS, {
  prefix = { "string", "{waba}" }, -- of all keys; in a cluster its braces keep them on one node
  group = { "string", "workers" }, -- the consumer group
  consumer = "string",             -- this worker's name in the group; default: a random one
}))

local function random_name()
  local digits = {}
  for index = 1, 16 do digits[index] = ("%x"):format(math.floor(core.random() * 16)) end
  return table.concat(digits)
end

--- An inbox in Redis (5 or newer). Connects at the first use. How well it survives a crash of the
--- Redis server itself is for its `appendonly` and `appendfsync` settings.
---@param given? waba.RedisInboxOptions
---@return waba.RedisInbox
function redis.new(given)
  local settings = policy.settings(given, OPTIONS, "waba.inbox.redis")
  local inbox = setmetatable({
    prefix = settings.prefix, group = settings.group, own_name = not settings.consumer,
    consumer = settings.consumer or random_name(),
    retry = settings.retry, remember = settings.remember, digests = {}, leases = setmetatable({}, { __mode = "k" }),
  }, Redis)
  connections[inbox] = redis_connection.new {
    host = settings.host, port = settings.port, path = settings.path,
    password = settings.password, user = settings.user, database = settings.database,
    timeout = settings.timeout,
  }
  return inbox
end

return redis
