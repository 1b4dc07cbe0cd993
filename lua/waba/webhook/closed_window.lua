-- Computes how long a business may send a customer messages of any type (the customer service window). If a status
-- reports that a message was not delivered because the window was closed, sends a template. The records of the inbox's
-- store:
--   otherwise:<message id>  the recipient and the template as JSON
--   unsent:<message id>     the status, if the status was handled before the record "otherwise" was written

local core = require "waba.core"
local identity = require "waba.webhook.identity"
local record = require "waba.inbox.record"
local window = require "waba.inbox.window"

local closed_window = {}

local STATUS_TIME = 86400 -- seconds after which no further status of a message is expected

--- See `Receiver:window`.
function closed_window.left(inbox, to, number)
  if type(to) == "table" and to.group_id then return math.huge end
  local values, err = identity.read_all(inbox, to, number, "%s:window")
  if not values then return nil, err end
  local best, now = 0, window.now(inbox)
  for _, value in ipairs(values) do best = math.max(best, window.left(value, now)) end
  return best
end

local function write(inbox, name, value)
  local ok, err = inbox.store:settle({}, { { name = name, value = value, seconds = STATUS_TIME } })
  if not ok then error(err, 0) end
end

--- See `Receiver:expect`.
function closed_window.expect(inbox, id, to, template)
  local json, message = core.encode { to = to, message = core.plain(template) }
  if not json then error("client:send: option otherwise: " .. tostring(message), 0) end
  write(inbox, "otherwise:" .. id, json)
  local stored = identity.reader(inbox)("unsent:" .. id)
  local status = stored and record.decode(stored)
  if not status then return end
  status.is_again = true -- the handlers of the status must not run again
  local ok, err = inbox:_put_again(status, "otherwise:" .. id)
  if not ok then error(err, 0) end
end

-- Returns whether the event is the status "failed" of a message, with an error that the window was closed.
local function is_closed(event)
  for _, err in ipairs(event.kind == "status" and event.status == "failed" and event.errors or {}) do
    if err.kind == "window" then return true end
  end
  return false
end

--- Sends the template that `expect` has recorded for the message of a status. A second call sends nothing. Sets
--- `event.replaced` to the result of `client:send`. `prepare` sets the client of the event.
function closed_window.replace(event, inbox, prepare, subject)
  if not inbox.get or not event.id or not is_closed(event) then return end
  local name = "otherwise:" .. event.id
  local get = identity.reader(inbox)
  local json = get(name)
  if not json then
    write(inbox, "unsent:" .. event.id, record.encode(event))
    json = get(name)
    if not json then return end
  end
  if prepare then prepare(event, subject) end
  if not event.client then return end
  write(inbox, name, nil) -- the record is removed before sending, so that the template is never sent twice
  local expected = core.decode(json)
  local sent, err = event.client:send(expected.to, expected.message)
  event.replaced = { id = sent and sent.id, error = err }
  if err and err.retryable and not err.maybe_sent then
    write(inbox, name, json)
    error(err, 0)
  end
end

return closed_window
