-- What all inboxes have in common: their options, the delay before another try, their errors.

local core = require "waba.core"
local errors = require "waba.errors"
local options = require "waba.options"

local policy = {}

policy.LEASE = 60

--- The options of every inbox.
---@options waba.InboxOptions
policy.OPTIONS = {
  retry = "waba.InboxRetry",             -- when a failed event is handled again
  remember = { "number>0", 7 * 86400 },  -- seconds for which duplicates are known: as long as the gateway repeats
                                         -- webhooks, 86400 on On-Premise hosting and 604800 on Cloud hosting
}

--- When a failed event is handled again. The pause doubles after each failure, and a random part of up to half of it is
--- left out.
---@options waba.InboxRetry
local RETRY = {
  attempts = { "integer>=1", 8 },        -- attempts before an event is set aside, including the first
  base = { "number>=0", 1 },             -- seconds: the pause before the second attempt
  max = { "number>=0", 300 },            -- seconds: the longest pause
}

--- Checks the options of an inbox, and completes them.
---@param given table|nil
---@param known table  the table of options, with those of `policy.OPTIONS`
---@param what string  "waba.inbox.sqlite"
---@return table settings  a copy
function policy.settings(given, known, what)
  local settings = options.complete(given, known, what, 3)
  settings.retry = options.complete(settings.retry, RETRY, what .. ": retry", 3)
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
