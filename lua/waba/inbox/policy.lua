-- What all inboxes have in common: their options, the delay before another try, their errors.

local core = require "waba.core"
local errors = require "waba.errors"
local options = require "waba.options"

local policy = {}

policy.LEASE = 60

local KNOWN = { retry = "table", remember = "number>0" }
local RETRY = { attempts = "integer>=1", base = "number>=0", max = "number>=0" }

--- Checks the options of an inbox and fills in what is not given.
---@param given table|nil
---@param more table<string, string>  the names and types of this home's own options
---@param what string                 "waba.inbox.sqlite"
---@param remember? number            its own default; a week else
---@return table settings  a copy, with `attempts`, `base`, `max` and `remember`
function policy.settings(given, more, what, remember)
  local known = {}
  for name, types in pairs(KNOWN) do known[name] = types end
  for name, types in pairs(more) do known[name] = types end
  local settings = {}
  for name, value in pairs(options.check(given, known, what, 3)) do settings[name] = value end
  local retry = options.check(settings.retry, RETRY, what .. ": retry", 3)
  settings.retry = { attempts = retry.attempts or 8, base = retry.base or 1, max = retry.max or 300 }
  settings.remember = settings.remember or remember or 604800
  return settings
end

--- Seconds before the next try: doubling, capped, between half and the whole of it.
---@param retry { base: number, max: number }
---@param attempts integer  tries so far
---@return number
function policy.delay(retry, attempts)
  local delay = math.min(retry.max, retry.base * 2 ^ math.min(attempts - 1, 40))
  return delay * (0.5 + core.random() / 2)
end

---@param message string
---@return waba.Error
function policy.unavailable(message)
  return errors.new { kind = "unavailable", message = message, retryable = true }
end

--- The error of a worker that held an event for too long.
---@return waba.Error
function policy.lease_lost()
  return errors.new { kind = "timeout", message = "the lease of this event was over: it may be another worker's now" }
end

--- What `ack` was given as a list.
---@param event waba.Event|waba.Event[]
---@return waba.Event[]
function policy.as_list(event)
  if type(event[1]) == "table" then return event end
  if next(event) == nil then return {} end
  return { event }
end

return policy
