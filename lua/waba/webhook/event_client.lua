-- Finds the client of an event, by the option `client` of a receiver. An API key belongs to one number, so a client is
-- never used for events of two numbers.

local errors = require "waba.errors"
local exact_digits = require "waba.digits"
local verbs = require "waba.webhook.verbs"

local event_client = {}

--- Whether a value can be called as a function.
---@param value any
---@return boolean
function event_client.is_callable(value)
  local metatable = type(value) == "table" and getmetatable(value)
  return type(value) == "function" or type(metatable) == "table" and metatable.__call ~= nil
end

local is_callable = event_client.is_callable

local WHAT = "waba.receiver: option client"

local function check_client(client, of)
  for _, method in ipairs { "send", "mark_read" } do
    if type(client) ~= "table" or not is_callable(client[method]) then
      error(("%s must be a client, as of waba.client%s: it has no method %s"):format(WHAT, of, method), 0)
    end
  end
end

-- Numbers -----------------------------------------------------------------------------------------

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
  return client.own_number or client.expected_number and { number = client.expected_number } or nil
end

-- Checks that a client serves one number. The number of its first event is taken as its own until there is an event of
-- another number: then the gateway is asked. Raises while the gateway can't be asked. `first_of`: client to the number of
-- its first event.
local function check_number(first_of, client, event)
  local own, first = own_number(client), first_of[client]
  local is_own = own and is_of(own, event)
  if not own and first and is_of(first, event) == false and is_callable(client.phone_number) then
    local number, err = client:phone_number()
    if not number then error(err, 0) end
    own = own_number(client)
    is_own = own and is_of(own, event)
  end
  if is_own == nil then
    if not first then
      first = { number = event.number, phone_number_id = event.phone_number_id }
      first_of[client] = first
    end
    is_own = is_of(first, event) ~= false
  end
  if is_own then return client end
  return nil, errors.invalid("client", ("the event is of the number %s, and its client belongs to %s: an API key "
    .. "belongs to one number, so give waba.receiver a client for each"):format(shown(event), shown(own or first)))
end

local function unknown(event)
  if event.number or event.phone_number_id then
    return errors.invalid("number", ("option client of waba.receiver has no client for the number %s"):format(
      shown(event)))
  end
  return errors.invalid("number", "the event names no number, so its client is unknown: give waba.receiver the option "
    .. "number")
end

-- The forms of the option -------------------------------------------------------------------------

local function check_table(clients)
  if next(clients) == nil and not getmetatable(clients) then
    error(WHAT .. " must be a client, as of waba.client, or the clients by number: it is an empty table", 0)
  end
  for key, client in pairs(clients) do
    local number = type(key) == "number" and exact_digits(key) or key
    if type(number) ~= "string" or not number:find "^%d+$" then
      error(("%s: the key %s must be the digits of a number or of its phone_number_id"):format(WHAT, tostring(key)), 0)
    elseif number ~= key and clients[number] then
      error(("%s has the number %s twice"):format(WHAT, number), 0)
    end
    check_client(client, " for the number " .. number)
  end
end

local function find_in_table(clients, event)
  local function at(key) return key and (clients[key] or clients[tonumber(key)]) end
  local by_id, by_number = at(event.phone_number_id), at(event.number)
  if by_id and by_number and by_id ~= by_number then
    return nil, errors.invalid("client", ("option client of waba.receiver has two clients for the number %s"):format(
      shown(event)))
  end
  return by_id or by_number
end

local function call(fn, event)
  local client, err = fn(event)
  if client then check_client(client, " or nil from the function") end
  return client or nil, errors.is_error(err) and err or nil
end

local function find_in_pool(pool, event)
  if not event.number then return nil end
  return pool:get(event.number, event)
end

-- Returns the function that finds the client of an event in the option, or nil and perhaps an error. It raises for a
-- temporary failure and for wrong use.
local function finder(option)
  if type(option) == "function" then return call end
  if is_callable(option.hold) then return find_in_pool end
  if option.send ~= nil or option.mark_read ~= nil then
    check_client(option, "")
    return function() return option end
  end
  check_table(option)
  return find_in_table
end

--- Makes the function that gives an event its client and methods. The function may wait. It returns what must be called
--- when the event was handled, if anything. It raises if the client can't be determined at present. Raises for a wrong
--- option.
---@param option waba.Client|waba.Clients|table<string, waba.Client>|fun(event: waba.Event): waba.Client|nil
---@return fun(event: waba.Event): fun()|nil
function event_client.new(option)
  local find, last, attach = finder(option), nil, nil
  local is_pool, first_of = find == find_in_pool, setmetatable({}, { __mode = "k" })
  return function(event)
    local client, err = find(option, event)
    if client and not is_pool and (event.number or event.phone_number_id) then
      client, err = check_number(first_of, client, event)
    end
    if not client then
      verbs.new(nil, err or unknown(event))(event)
      return nil
    end
    if client ~= last then last, attach = client, verbs.new(client) end
    attach(event)
    return is_pool and option:hold(client) or nil
  end
end

return event_client
