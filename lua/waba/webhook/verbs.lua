-- Adds the field `client` to an event, and the methods that use it: `event:reply(message)`, `event:ask(message, step)`,
-- `event:mark_read()`, `event:download { file = … }`.

local digest = require "waba.resource.media.digest"
local errors = require "waba.errors"
local event_fields = require "waba.hosting.event_fields"
local of_number = require "waba.client.of_number"

local verbs = {}

-- Raises an error if the first argument of a method is no event, because the method was called with a dot.
local function check_event(event, method)
  if type(event) ~= "table" or event.kind == nil then
    error(("event:%s must be called with a colon, not a dot"):format(method), 3)
  end
end

-- Returns the error for an event without a client.
local function no_client(event) return getmetatable(event).reason end

-- `event.reply` is both a method and the field with the data of an interactive reply, so its value is a table that has
-- these data and can be called.
local REPLY = {
  __call = function(_, event, message, options)
    check_event(event, "reply")
    if not event.client then return nil, no_client(event) end
    local group = event.hosting == "cloud" and event.group_id
    local to = group and { group_id = group } or event_fields.new_address(event) or event_fields.customer(event)
    if not to then
      return nil, errors.invalid("to", "the event has no customer: expected an event with a sender or a recipient")
    end
    return event.client:send(to, message, options)
  end,
}

local reply = setmetatable({}, REPLY)

local NO_STEP = "the step can't be stored: event:ask requires an event with a customer, other than a status, while its "
  .. "handlers run"

-- Sends a reply, and sets the step whose handler gets the customer's next message.
local function ask(event, message, step, options)
  check_event(event, "ask")
  if type(message) ~= "table" then
    error("event:ask: the message must be a table from a builder, not a " .. type(message), 2)
  elseif type(step) ~= "string" or step == "" then
    error("event:ask: the step must be a string that is not empty: a name in on.step", 2)
  end
  local session = require "waba.webhook.session"
  if not session.has_step(event) then return nil, errors.invalid("step", NO_STEP) end
  local sent, err = reply(event, message, options)
  if not sent then return nil, err end
  session.set_step(event, step)
  return sent
end

local function mark_read(event, options)
  check_event(event, "mark_read")
  if not event.client then return nil, no_client(event) end
  if event.kind ~= "message" or not event.id then
    return nil, errors.invalid("id", "the event can't be marked as read: expected a message with an id")
  end
  return event.client:mark_read(event.id, options)
end

local function download(event, options)
  check_event(event, "download")
  if not event.client then return nil, no_client(event) end
  local media = event.media
  if type(media) ~= "table" or not media.id then
    local reason = type(media) == "table" and "the gateway has not downloaded this media"
      or "the event has no media: expected a message with a file"
    return nil, errors.new { kind = "media", message = reason }
  end
  local with_digest = {}
  for name, value in pairs(options or {}) do with_digest[name] = value end
  if with_digest.sha256 == nil then
    with_digest.sha256 = type(media.sha256) == "string" and digest.read(media.sha256) or nil
  end
  return event.client.media:download(media.id, with_digest)
end

--- Returns a function that adds a client and the methods to an event. The metatable of the event has the methods, so
--- that a program can write the event as JSON.
---@param client waba.Client|nil
---@param reason waba.Error|nil  the reason why an event has no client
---@return fun(event: waba.Event): waba.Event
function verbs.new(client, reason)
  local metatable = {
    __index = { client = client, reply = reply, ask = ask, mark_read = mark_read, download = download },
    reason = reason,
  }
  return function(event)
    local data = rawget(event, "reply")
    if type(data) == "table" then setmetatable(data, REPLY) end
    return setmetatable(event, metatable)
  end
end

--- Returns a function that finds the client of an event and adds the methods. The function may wait, and raises an
--- error if the client can't be determined at present. Further calls with the same entry have no effect. For a client
--- from a pool, sets `entry.release` to a function that the caller must call after the event was handled. Raises an
--- error for an invalid option.
---@param option waba.Client|waba.Clients|table<string, waba.Client>|fun(event: waba.Event): waba.Client|nil
---@return fun(event: waba.Event, entry: { release: fun()|nil })
function verbs.attacher(option)
  local find, last, attach = of_number.finder(option, "waba.receiver"), nil, nil
  return function(event, entry)
    if entry.is_prepared then return end
    entry.is_prepared = true
    local client, second = find(event)
    if not client or client ~= last then last, attach = client, verbs.new(client, not client and second or nil) end
    attach(event)
    for _, message in ipairs(event.messages or {}) do attach(message) end
    if client then entry.release = second end
  end
end

return verbs
