-- Sends messages whose JSON bodies an outbox has stored.

local sending = require "waba.client.sending"

local encoded = {}

-- The class of the clients of this library; false before the first call of `can_send` with such a client.
local Client = false

--- Returns whether `encoded.send` has the same effect as `client:send`. `hosting` is the hosting for which the message
--- was checked and encoded. `client` may be an object of another class.
function encoded.can_send(client, hosting)
  local class = getmetatable(client)
  if class ~= Client then
    if type(class) ~= "table" or class.__name ~= "waba.Client" then return false end
    Client = class
  end
  return rawget(client, "send") == nil and client.hosting.name == hosting and not client.ordered
    and (hosting == "cloud" or client.namespace == nil)
end

-- Returns whether the queue of a rate limiter has a slot for a call now.
local function is_free(queue, now, is_bulk)
  if queue.replies.count > 0 or is_bulk and queue.bulk.count > 0 then return false end
  return queue.limiter:delay(now, is_bulk) <= 0
end

--- Returns whether no rate limiter delays a message; false if several processes share the rate limiters.
function encoded.leaves_at_once(client, to, is_bulk, now)
  local pace = client.delivery.pace
  if not pace then return true end
  if pace.limiters.shared then return false end
  local pair = pace.has_pairs and pace:pair(to, now, is_bulk)
  return is_free(pace:queue "messages", now, is_bulk) and (not pair or is_free(pair, now, is_bulk))
end

encoded.send = sending.post

return encoded
