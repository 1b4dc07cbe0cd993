-- Joins messages that a customer sends shortly after each other, for the option `gather` of a receiver.

local copy = require("waba.message.parts").copy

local gather = {}

local MOST = 100 -- the largest number of messages that are joined

-- The types of messages that are not joined with other messages.
local ALONE = {
  system = true, reaction = true, edit = true, revoke = true, request_welcome = true, interactive = true, button = true,
  order = true,
}

local function can_join(event) return event.kind == "message" and not ALONE[event.type] end

local function is_next(event, other)
  return other ~= nil and can_join(other) and other.from == event.from and other.from_user_id == event.from_user_id
end

--- Joins a taken message with later messages that were stored within `seconds` seconds after each other. Returns the
--- last message, with all messages in `messages`. If another message may come, returns nil and the seconds to wait.
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
