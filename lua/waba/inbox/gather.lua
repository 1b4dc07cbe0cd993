-- Joins the messages that a customer writes one after the other, for the option `gather` of a receiver. When the
-- customer has written nothing for some seconds, the handlers get the last message together with all others, and all of
-- them are acknowledged together.

local copy = require("waba.message.parts").copy

local gather = {}

-- The largest number of messages that are joined.
local MOST = 100

-- Types of messages that are handled separately, such as the choice of a button.
local ALONE = {
  system = true, reaction = true, edit = true, revoke = true, request_welcome = true, interactive = true, button = true,
  order = true,
}

local function can_join(event)
  return event.kind == "message" and not ALONE[event.type]
end

-- Returns whether two messages have the same phone number and the same user id of the sender. Messages before and after
-- a change of the phone number or the user id are not joined.
local function is_next(event, other)
  return other ~= nil and can_join(other) and other.from == event.from and other.from_user_id == event.from_user_id
end

--- Joins a taken event with the events behind it that were stored within some seconds after each other.
---@param store waba.Store
---@param lease waba.StoreLease  the lease of the event
---@param event waba.Event
---@param read fun(body: any): waba.Event|nil
---@param seconds number
---@return waba.Event|nil event        the last event, with all messages in `messages` if it is a message
---@return number|waba.Error|nil left  nil and a number: another message may still come within this number of seconds
function gather.join(store, lease, event, read, seconds)
  if event.kind ~= "message" then return event end
  local messages, following = { copy(event) }, {}
  if can_join(event) then
    local list, age = store:following(lease, MOST - 1)
    if not list then return nil, age end
    for index, one in ipairs(list) do
      local other = read(one.body)
      if age - one.age > seconds or not is_next(event, other) then break end
      messages[index + 1], following[index], event, age = copy(other), one, other, one.age
    end
    local is_last = #following == #list and #messages < MOST
    if is_last and age < seconds then return nil, seconds - math.max(0, age) end
  end
  event.messages, lease.following = messages, following
  return event
end

return gather
