-- Finds the client for the business number of an event or an outbox entry, by the option `client` of a receiver or a
-- sender. An API key belongs to one phone number, so a client is never used for two phone numbers.

local errors = require "waba.errors"
local recipient = require "waba.recipient"

local of_number = {}

function of_number.is_callable(value)
  local metatable = type(value) == "table" and getmetatable(value)
  return type(value) == "function" or type(metatable) == "table" and metatable.__call ~= nil
end

local is_callable = of_number.is_callable

local function check_client(client, what, of)
  for _, method in ipairs { "send", "mark_read" } do
    if type(client) ~= "table" or not is_callable(client[method]) then
      error(("%s: option client must be a client from waba.client%s: it has no method %s"):format(what, of, method), 0)
    end
  end
end

-- Numbers -----------------------------------------------------------------------------------------

-- Returns the phone number of `subject`, which is an event or an outbox entry. Returns nil if the phone number is
-- unknown: then the field `number` is nil or has the phone_number_id.
local function digits_of(subject)
  return subject.number ~= subject.phone_number_id and subject.number or nil
end

local NO_NUMBER = "an event or entry without a number: set the option number of the receiver, or the field number of "
  .. "the entry"

local function no_client(what, subject, reason, detail)
  local number, id = digits_of(subject), subject.phone_number_id
  local shown = number or id and "phone_number_id " .. id
  if number and id then shown = ("%s (phone_number_id %s)"):format(number, id) end
  return nil, errors.invalid("number", ("option client of %s has %s for %s%s"):format(what, reason or "no client",
    shown and "the number " .. shown or NO_NUMBER, detail and ": " .. detail or ""))
end

-- Returns whether `known` and `subject` have the same phone_number_id or, if an id is unknown, the same phone number.
-- Returns nil if there is no pair of ids or phone numbers to compare.
local function is_of(known, subject)
  local id, number = known.phone_number_id, digits_of(known)
  if id and subject.phone_number_id then return id == subject.phone_number_id end
  if number and digits_of(subject) then return number == subject.number or id == subject.number end
end

-- `client.own_number` is the gateway's response to `client:phone_number`.
local function own_number(client)
  return client.own_number or client.expected_number and { number = client.expected_number } or nil
end

--- Returns a client's phone number as digits, or its phone_number_id; nil if both are unknown.
function of_number.digits(client)
  local own = own_number(client)
  return own and (own.number or own.phone_number_id)
end

-- The kinds of permanent errors: after such an error, the request for the phone number is not sent again.
local FINAL = { api = true, blocked = true, invalid = true, not_found = true, protocol = true }

-- Requests the phone number of a client from the gateway. Returns nil after an error of the kinds in FINAL. Raises
-- other errors.
local function request_number(client, known)
  if known.is_unknown or not is_callable(client.phone_number) then return nil end
  local number, err = client:phone_number()
  if not number and not (errors.is_error(err) and FINAL[err.kind]) then error(err, 0) end
  known.is_unknown = not number
  return own_number(client)
end

-- Returns whether a client has the phone number of an event or entry. The client's phone number is requested from the
-- gateway if the option `client` is a single client (`is_one`), or if the client was found for two phone numbers. If
-- the gateway does not return the phone number, the client serves only the number of its first event or entry.
local function serves(client, subject, known, is_one)
  local own, first = own_number(client), known.first
  if not own and (is_one or first and is_of(first, subject) == false) then own = request_number(client, known) end
  local is_own = own and is_of(own, subject)
  if is_own ~= nil then return is_own end
  first = known.first or { number = subject.number, phone_number_id = subject.phone_number_id }
  known.first = first
  return is_of(first, subject) ~= false
end

-- The forms of the option -------------------------------------------------------------------------

-- Returns a copy of the table of clients. The keys of the copy are phone numbers and ids as strings of digits.
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
      error(("%s: option client: the key %s must be a phone number or a phone_number_id"):format(what, tostring(key)),
        0)
    elseif known[number] then
      error(("%s: option client has the number %s twice"):format(what, number), 0)
    end
    check_client(client, what, " for the number " .. number)
    known[number] = client
  end
  return known
end

-- Returns a hash of the client's API key; nil for an object that `waba.client` has not made.
local function key_of(client)
  return type(client) == "table" and type(client.delivery) == "table" and client.delivery.identity or nil
end

local SHARED = "option client of %s: the API key of the number %s is also that of the number %s: a key belongs to one "
  .. "number"

-- Raises an error if two clients have the same API key. Returns the set of the clients.
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
  -- The clients of the table, and clients that were found later, by number. `pairs(clients)` does not return clients
  -- that only the metamethod `__index` returns.
  local used = setmetatable({}, { __mode = "v" })
  for number, client in pairs(known) do used[number] = client end
  -- reads `clients` again, because the program may have changed this table
  local function at(key) return key and (clients[key] or known[key]) end
  -- Returns the number of another client in `others` that has the API key of `client`.
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
    if not client and type(err) == "string" then return no_client(what, subject, nil, err) end
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

--- Makes a function that finds the client of an event or an outbox entry. The function returns the client, or nil and
--- an error. If the client is from `waba.clients`, the function also returns a function that must be called when the
--- client is no longer needed. The function may wait, and raises temporary errors. `what` is the name in error texts,
--- such as "waba.receiver". Raises an error for an invalid option.
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
    if subject.number or subject.phone_number_id then
      known_of[client] = known_of[client] or {}
      if not serves(client, subject, known_of[client], is_one) then
        local own = of_number.digits(client)
        return no_client(what, subject, nil, own and "the key of its client belongs to " .. own)
      end
    end
    return client, client.pooled and client.pooled.pool:hold(client) or nil
  end
end

--- Returns the client of every event or entry without a number; nil if it is not always the same.
function of_number.single(option)
  local is_single = type(option) == "table" and not option.hold and (option.send ~= nil or option.mark_read ~= nil)
  return is_single and not option.pooled and option or nil
end

--- Returns the transport of the clients; nil if it is unknown. A receiver or sender waits with the event loop of this
--- transport.
function of_number.transport(option)
  if type(option) ~= "table" then return nil end
  if option.transport or option.hold then return option.transport end
  local _, first = next(option)
  return type(first) == "table" and first.transport or nil
end

return of_number
