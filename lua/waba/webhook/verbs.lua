-- The methods of an event, if the receiver has a client: `event:reply(message)`, `event:mark_read()`,
-- `event:download { file = … }`.

local digest = require "waba.resource.media.digest"
local errors = require "waba.errors"
local inbound = require "waba.hosting.inbound"

local verbs = {}

local function no_customer()
  return errors.invalid("to", "this event names no customer to reply to")
end

-- The recipient of a reply: the group of the message, or the customer; after a change, at the new number or user id.
local function address_of(event)
  if event.hosting == "cloud" and event.group_id then return { group_id = event.group_id } end
  return inbound.new_address(event) or inbound.customer(event)
end

-- `reply` is also the field with the data of an interactive reply. So the method is a table that can be called, and if
-- there is data, the data can be called: `event.reply.id` and `event:reply(…)` work on every event.
local function reply_method(client)
  return {
    __call = function(_, event, message, options)
      local to = address_of(event)
      if not to then return nil, no_customer() end
      return client:send(to, message, options)
    end,
  }
end

-- The digest that the platform reports, hex on one hosting and base64 on the other; nil for another text.
local function hex_digest(text)
  return type(text) == "string" and (digest.read(text)) or nil
end

--- Makes a function that adds the methods to an event.
---@param client waba.Client
---@return fun(event: waba.Event): waba.Event
function verbs.new(client)
  local reply = reply_method(client)
  local methods = { reply = setmetatable({}, reply) }

  --- Marks the message as read; options as of `client:mark_read`.
  function methods.mark_read(event, options)
    if event.kind ~= "message" or not event.id then
      return nil, errors.invalid("id", "only a message with an id can be marked as read")
    end
    return client:mark_read(event.id, options)
  end

  --- Downloads the media of a message, as `client.media:download`, and checks its digest.
  function methods.download(event, options)
    local media = event.media
    if type(media) ~= "table" or not media.id then
      local reason = type(media) == "table" and "the gateway has not downloaded this media"
        or "this event has no media"
      return nil, errors.new { kind = "media", message = reason }
    end
    local with_digest = {}
    for name, value in pairs(options or {}) do with_digest[name] = value end
    if with_digest.sha256 == nil then with_digest.sha256 = hex_digest(media.sha256) end
    return client.media:download(media.id, with_digest)
  end

  local metatable = { __index = methods }
  return function(event)
    local data = rawget(event, "reply")
    if type(data) == "table" then setmetatable(data, reply) end
    return setmetatable(event, metatable)
  end
end

return verbs
