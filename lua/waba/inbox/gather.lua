-- Joins the messages that a customer writes one after the other, for the option `gather` of a receiver: when the customer
-- has written none for some seconds, the last one is handled with all of them, and they are acknowledged together.

local gather = {}

-- Messages that are joined at most.
local MOST = 100

-- Types of messages that continue no other.
local ALONE = { system = true, reaction = true, edit = true, revoke = true, request_welcome = true }

local function can_join(event)
  return event.kind == "message" and not ALONE[event.type]
end

-- Whether two messages name their sender alike. A change of the names is handled by itself.
local function is_next(event, other)
  return can_join(other) and other.from == event.from and other.from_user_id == event.from_user_id
end

local function copy(event)
  local new = {}
  for name, value in pairs(event) do new[name] = value end
  return new
end

--- Joins a taken event and those behind it.
---@param store waba.Store
---@param lease waba.StoreLease  of the event
---@param event waba.Event
---@param read fun(body: any): waba.Event
---@param seconds number         without a further message
---@return waba.Event|nil event       with `messages`, if it can be joined
---@return number|waba.Error|nil left  nil and a number: a further message may come within so many seconds
function gather.join(store, lease, event, read, seconds)
  if not can_join(event) then return event end
  local list, age = store:following(lease, MOST)
  if not list then return nil, age end
  if age < seconds and #list < MOST then return nil, seconds - math.max(0, age) end
  local messages, following = { copy(event) }, {}
  for index, one in ipairs(list) do
    local other = read(one.body)
    if not is_next(event, other) then break end
    messages[index + 1], following[index], event = copy(other), one, other
  end
  event.messages, lease.following = messages, following
  return event
end

return gather
