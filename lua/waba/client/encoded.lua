-- Sends messages whose bodies were checked and encoded before; the sender of an outbox uses this file.

local core = require "waba.core"
local sending = require "waba.client.sending"

local encoded = {}

--- Returns whether `encoded.send` has the same effect as `client:send` for the message.
---@param client waba.Client|table  a client, or another object with a method `send`
---@param hosting string  the hosting for which the message was checked and encoded
---@return boolean
function encoded.can_send(client, hosting)
  local class = getmetatable(client)
  return type(class) == "table" and class.__name == "waba.Client" and rawget(client, "send") == nil
    and client.hosting.name == hosting and not client.ordered and (client.namespace == nil or hosting == "cloud")
end

-- Returns whether a call would get a slot of a queue without a wait.
local function is_free(queue, now, is_bulk)
  if queue.replies.count > 0 or is_bulk and queue.bulk.count > 0 then return false end
  return queue.limiter:delay(now, is_bulk) <= 0
end

--- Returns whether a message leaves at once; false if it may wait for a rate limiter. The result is false for rate
--- limiters that several processes share.
---@param client waba.Client
---@param to string
---@param is_bulk? boolean
---@return boolean
function encoded.leaves_at_once(client, to, is_bulk)
  local pace = client.delivery.pace
  if not pace then return true end
  if pace.limiters.shared then return false end
  local now = core.clock()
  local pair = pace.has_pairs and pace:pair(to, now, is_bulk)
  return is_free(pace:queue "messages", now, is_bulk) and (not pair or is_free(pair, now, is_bulk))
end

encoded.send = sending.post

return encoded
