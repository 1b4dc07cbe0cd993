-- Finds the client of an event, by the option `client` of a receiver. An API key belongs to one number, so a client is
-- never used for events of two numbers.

local errors = require "waba.errors"
local recipient = require "waba.recipient"
local verbs = require "waba.webhook.verbs"

local event_client = {}

-- The methods that a client must have.
local METHODS = { "send", "mark_read" }

--- Whether a value can be called as a function.
---@param value any
---@return boolean
function event_client.is_callable(value)
  local metatable = type(value) == "table" and getmetatable(value)
  return type(value) == "function" or type(metatable) == "table" and metatable.__call ~= nil
end

local is_callable = event_client.is_callable

-- The first method that a value does not have; nil for a client.
local function absent_method(value)
  for _, method in ipairs(METHODS) do
    if type(value) ~= "table" or not is_callable(value[method]) then return method end
  end
end

-- ---- Numbers. ----------------------------------------------------------------------------------------

-- The digits of an event's number. `event.number` is the id where the platform sends no number.
local function digits_of(event)
  return event.number ~= event.phone_number_id and event.number or nil
end

local function shown(event)
  local number, id = digits_of(event), event.phone_number_id
  if number and id then return ("%s (phone_number_id %s)"):format(number, id) end
  return number or "phone_number_id " .. id
end

-- Whether an event is of a known number; nil if that can't be determined. The id decides where both have one.
local function is_of(known, event)
  local id, number = known.phone_number_id, digits_of(known)
  if id and event.phone_number_id then return id == event.phone_number_id end
  if number and digits_of(event) then return number == digits_of(event) end
end

-- The number of a client, as far as it is known: by the gateway's response, or by the option `expect_number`.
local function own_number(client)
  if type(client.own_number) == "table" then return client.own_number end
  return type(client.expected_number) == "string" and { number = client.expected_number } or nil
end

-- Asks the gateway for the number of a client. Raises if it can't be had, so that the event is tried again.
local function ask(client)
  if not is_callable(client.phone_number) then return nil end
  local number, err = client:phone_number()
  if not number then error(err, 0) end
  return own_number(client) or { number = number }
end

-- Checks that a client serves one number. The number of its first event is taken as its own until there is an event of
-- another number: then the gateway is asked. `used`: client to { first, own }.
local function check_number(used, client, event)
  local own, use = own_number(client), used[client]
  local is_own = own and is_of(own, event)
  if is_own == nil then
    if not use then
      use = { first = { number = event.number, phone_number_id = event.phone_number_id } }
      used[client] = use
    end
    is_own = is_of(use.first, event) ~= false
    if not is_own and not own then
      use.own = use.own or ask(client)
      is_own = use.own and is_of(use.own, event) or false
    end
  end
  if is_own then return client end
  local known = own_number(client) or use and (use.own or use.first)
  return nil, errors.invalid("client", ("the event is of the number %s, and its client belongs to %s: an API key "
    .. "belongs to one number, so give waba.receiver a client for each"):format(shown(event), shown(known)))
end

local function unknown(event)
  if not event.number and not event.phone_number_id then
    return errors.invalid("number", "the event names no number, so its client is unknown: give waba.receiver the "
      .. "option number")
  end
  return errors.invalid("number", ("option client of waba.receiver has no client for the number %s"):format(
    shown(event)))
end

-- ---- The forms of the option. ------------------------------------------------------------------------

-- Each makes a function that returns the client of an event, or nil and perhaps an error. The function raises for a
-- temporary failure and for wrong use.

local function check_client(client, of)
  local method = absent_method(client)
  if not method then return end
  error(("waba.receiver: option client must be a client, as of waba.client%s: it has no method %s"):format(of, method),
    0)
end

local function one(client)
  return function() return client end
end

-- Writes the keys that are no plain digits as such. Returns the clients of these.
local function read_keys(clients)
  local by_number, written = {}, {}
  for key, client in pairs(clients) do
    local number = recipient.business_number(key)
    if not number then
      error(("waba.receiver: option client: the key %s must be a phone number or a phone_number_id"):format(
        tostring(key)), 0)
    elseif written[number] then
      error(("waba.receiver: option client has the number %s twice"):format(number), 0)
    end
    check_client(client, " for the number " .. number)
    written[number] = true
    if key ~= number then by_number[number] = client end
  end
  return by_number
end

local function table_of(clients)
  if next(clients) == nil and not getmetatable(clients) then
    error("waba.receiver: option client must be a client, as of waba.client, or a table with the client of each "
      .. "number, not an empty table", 0)
  end
  local by_number = read_keys(clients)
  local function at(key)
    if key == nil then return nil end
    local client = clients[key] or by_number[key]
    if client then check_client(client, " for the number " .. key) end
    return client
  end
  return function(event)
    local by_id, client = at(event.phone_number_id), at(event.number)
    if by_id and client and by_id ~= client then
      return nil, errors.invalid("client", ("option client of waba.receiver has two clients for the number %s"):format(
        shown(event)))
    end
    return by_id or client
  end
end

local function by_function(fn)
  return function(event)
    local client, err = fn(event)
    if client then check_client(client, " or nil from the function") end
    return client or nil, errors.is_error(err) and err or nil
  end
end

local function by_pool(pool)
  return function(event)
    if not event.number then return nil end
    return pool:get(event.number, event)
  end
end

-- Returns the function that finds, and whether the clients must be checked.
local function finder(option)
  if type(option) == "function" then return by_function(option), true end
  if option.send ~= nil or option.mark_read ~= nil then
    check_client(option, "")
    return one(option), true
  end
  if is_callable(option.get) and is_callable(option.hold) then return by_pool(option), false end
  return table_of(option), true
end

-- The clients that were used, each with the number of its first event.
local function new_used() return setmetatable({}, { __mode = "k" }) end

--- Makes the function that gives an event its client and methods. The function may wait. It returns what must be called
--- when the event was handled, if anything. It raises if the client can't be determined at present. Raises for a wrong
--- option.
---@param option waba.Client|waba.Clients|table<string, waba.Client>|fun(event: waba.Event): waba.Client|nil
---@return fun(event: waba.Event): fun()|nil
function event_client.new(option)
  local find, must_check = finder(option)
  local used, last, attach = new_used(), nil, nil
  return function(event)
    local client, err = find(event)
    if client and must_check and (event.number or event.phone_number_id) then
      client, err = check_number(used, client, event)
    end
    if not client then
      verbs.new(nil, err or unknown(event))(event)
      return nil
    end
    if client ~= last then last, attach = client, verbs.new(client) end
    attach(event)
    return not must_check and option:hold(client) or nil
  end
end

return event_client
