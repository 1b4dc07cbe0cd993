-- Finds the client for a business number, by the option `client` of a receiver or a sender. An API key belongs to one
-- phone number, so a client is never used for two phone numbers.

local errors = require "waba.errors"
local recipient = require "waba.recipient"

local of_number = {}

--- Returns whether a value can be called as a function.
---@param value any
---@return boolean
function of_number.is_callable(value)
  local metatable = type(value) == "table" and getmetatable(value)
  return type(value) == "function" or type(metatable) == "table" and metatable.__call ~= nil
end

local is_callable = of_number.is_callable

local function check_client(client, what, of)
  for _, method in ipairs { "send", "mark_read" } do
    if type(client) ~= "table" or not is_callable(client[method]) then
      error(("%s: option client must be a client from waba.client%s: it has no method %s"):format(what, of,
        method), 0)
    end
  end
end

-- Numbers -----------------------------------------------------------------------------------------

-- Returns the phone number of `subject`, which is an event or an entry of an outbox; nil if its field `number` contains
-- the phone_number_id instead, because the phone number is unknown.
local function digits_of(subject)
  return subject.number ~= subject.phone_number_id and subject.number or nil
end

local NO_NUMBER = "an event or entry without a number: set the option number of the receiver, or the field number of "
  .. "the entry"

-- Returns the error for an event or entry without a usable client. `own` is the phone number of a client that was
-- found, but belongs to another phone number.
local function no_client(what, subject, reason, own)
  local number, id = digits_of(subject), subject.phone_number_id
  local shown = number or id and "phone_number_id " .. id
  if number and id then shown = ("%s (phone_number_id %s)"):format(number, id) end
  return nil, errors.invalid("number", ("option client of %s has %s for %s%s"):format(what, reason or "no client",
    shown and "the number " .. shown or NO_NUMBER,
    own and ": the key of its client belongs to " .. own or ""))
end

-- Returns whether an event or entry has the same phone number as `known`; nil if this can't be determined. If both have
-- a phone_number_id, only the ids are compared.
local function is_of(known, subject)
  local id, number = known.phone_number_id, digits_of(known)
  if id and subject.phone_number_id then return id == subject.phone_number_id end
  if number and digits_of(subject) then return number == subject.number or id == subject.number end
end

-- Returns the phone number of a client, if the gateway has returned it or the option `expect_number` is set.
local function own_number(client)
  return client.own_number or client.expected_number and { number = client.expected_number } or nil
end

--- Returns a client's phone number as digits, or its phone_number_id; nil if both are unknown.
---@param client waba.Client
---@return string|nil
function of_number.digits(client)
  local own = own_number(client)
  return own and (own.number or own.phone_number_id)
end

-- The kinds of errors after which a further request for the phone number would fail too.
local FINAL = { api = true, blocked = true, invalid = true, not_found = true, protocol = true }

-- Requests the phone number of a client from the gateway; returns nil if the gateway does not return it. Raises an
-- error if the request fails at present.
local function ask_number(client, known)
  if known.is_unknown or not is_callable(client.phone_number) then return nil end
  local number, err = client:phone_number()
  if not number and not (errors.is_error(err) and FINAL[err.kind]) then error(err, 0) end
  known.is_unknown = not number
  return own_number(client)
end

-- Returns whether a client may be used for an event or entry. The client's phone number is requested from the gateway
-- in two cases: the option `client` is a single client, or the client was found for two phone numbers. If the gateway
-- does not return the phone number, the client is used only for the phone number of the first event or entry.
local function serves(client, subject, known, is_one)
  local own, first = own_number(client), known.first
  if not own and (is_one or first and is_of(first, subject) == false) then own = ask_number(client, known) end
  local is_own = own and is_of(own, subject)
  if is_own ~= nil then return is_own end
  first = known.first or { number = subject.number, phone_number_id = subject.phone_number_id }
  known.first = first
  return is_of(first, subject) ~= false
end

-- The forms of the option -------------------------------------------------------------------------

-- Returns a copy of the table whose keys are strings of digits.
local function read_table(clients, what)
  if next(clients) == nil and not getmetatable(clients) then
    error(what .. ": option client must be a client from waba.client, or the clients by number, not an empty table", 0)
  end
  if clients[1] ~= nil then
    error(what .. ": option client is a list: expected the clients by number, such as { [\"4930555019\"] = client }", 0)
  end
  local known = {}
  for key, client in pairs(clients) do
    local number = recipient.business_number(key)
    if not number then
      error(("%s: option client: the key %s must be a phone number or a phone_number_id"):format(what,
        tostring(key)), 0)
    elseif known[number] then
      error(("%s: option client has the number %s twice"):format(what, number), 0)
    end
    check_client(client, what, " for the number " .. number)
    known[number] = client
  end
  return known
end

-- Returns a hash of the client's key; nil for a client that was not made by waba.client.
local function key_of(client)
  return type(client) == "table" and type(client.delivery) == "table" and client.delivery.identity or nil
end

local SHARED = "option client of %s: the API key of the number %s is also that of the number %s: a key belongs to one "
  .. "number"

-- Raises an error if two clients have the same key. Returns the set of the clients.
local function check_keys(known, what)
  local checked, first = setmetatable({}, { __mode = "k" }), {}
  for number, client in pairs(known) do
    local key = key_of(client) or client
    first[key] = first[key] or number
    if known[first[key]] ~= client then error(SHARED:format(what, number, first[key]), 0) end
    checked[client] = true
  end
  return checked
end

local function find_in_table(clients, what)
  local known = read_table(clients, what)
  local checked = check_keys(known, what)
  local used = setmetatable({}, { __mode = "v" }) -- `pairs` does not find the clients that a metatable returns
  for number, client in pairs(known) do used[number] = client end
  local function at(key) return key and (clients[key] or known[key]) end -- a program may have changed the table
  -- Returns the number of another client in `others` that has the same key.
  local function owner(client, others)
    local key = key_of(client)
    for number, other in pairs(key and others or {}) do
      if other ~= client and key_of(other) == key and at(number) == other then return tostring(number) end
    end
  end
  return function(subject)
    local by_id, by_number = at(subject.phone_number_id), at(subject.number)
    if by_id and by_number and by_id ~= by_number then return no_client(what, subject, "two clients") end
    local client = by_id or by_number
    if not client or checked[client] then return client end
    local number, other = by_number and subject.number or subject.phone_number_id, owner(client, clients)
    other = other or owner(client, used)
    if other then return nil, errors.invalid("api_key", SHARED:format(what, number, other)) end
    checked[client], used[number] = true, client
    return client
  end
end

local function find_by_function(fn, what)
  return function(subject)
    local client, err = fn(subject)
    if client then check_client(client, what, " or nil from the function") end
    return client or nil, errors.is_error(err) and err or nil
  end
end

local function find_in_pool(pool, what)
  return function(subject)
    if not subject.number then return no_client(what, subject) end
    local client, err = pool:get(subject.number, subject.kind and subject or nil)
    if client then return client, pool:hold(client) end
    return nil, err
  end
end

--- Makes a function that finds the client of an event or an entry. The function may wait for other coroutines, and
--- returns the client and, for some clients, a function to call when the client is no longer needed; or nil and an
--- error. The function raises an error if the client can't be determined at present. Raises an error for an invalid
--- option.
---@param option waba.Client|waba.Clients|table<string, waba.Client>|fun(subject: table): waba.Client|nil
---@param what string         the name of the function that has the option, such as "waba.receiver"
---@return fun(subject: { number: string?, phone_number_id: string? }): waba.Client|nil, fun()|waba.Error|nil
function of_number.finder(option, what)
  if type(option) == "table" and is_callable(option.hold) then return find_in_pool(option, what) end
  local find, is_one
  if type(option) == "function" then
    find = find_by_function(option, what)
  elseif option.send ~= nil or option.mark_read ~= nil then
    check_client(option, what, "")
    find, is_one = function() return option end, true
  else
    find = find_in_table(option, what)
  end
  local known_of = setmetatable({}, { __mode = "k" })
  return function(subject)
    local client, err = find(subject)
    if not client then
      if err then return nil, err end
      return no_client(what, subject)
    end
    if not (subject.number or subject.phone_number_id) then return client end
    known_of[client] = known_of[client] or {}
    if not serves(client, subject, known_of[client], is_one) then
      return no_client(what, subject, nil, of_number.digits(client))
    end
    return client
  end
end

--- the transport in which the clients wait, if it is known
---@param option any
---@return waba.Transport|nil
function of_number.transport(option)
  if type(option) ~= "table" then return nil end
  if option.transport or option.hold then return option.transport end
  local _, first = next(option)
  return type(first) == "table" and first.transport or nil
end

return of_number
