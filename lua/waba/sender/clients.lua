-- Finds the client of an entry, by the option `client` of a sender. A client is never used for the entries of another
-- number.

local errors = require "waba.errors"
local recipient = require "waba.recipient"

local clients = {}

local function unknown(number)
  local which = number and "the number " .. number or "entries without a number"
  return nil, errors.invalid("number", "option client of waba.sender has no client for " .. which)
end

-- Whether a client serves a number; nil and an error if that can't be determined at present.
local function serves(client, number)
  local digits = client.expected_number
  if not client.own_number and not digits then
    local err
    digits, err = client:phone_number()
    if not digits then return nil, err end
  end
  local own = client.own_number or { number = digits }
  return number == own.number or number == own.phone_number_id
end

local function one(client)
  local checked = {}
  return function(entry)
    local number = entry.number
    if number and not checked[number] then
      local is_own, err = serves(client, number)
      if err then return nil, err end
      if not is_own then return unknown(number) end
      checked[number] = true
    end
    return client
  end
end

local function by_number(option)
  local known = {}
  for number, client in pairs(option) do
    local digits = recipient.business_number(number)
    if not digits or type(client) ~= "table" or not client.send then
      error(("waba.sender: option client: the key %s must be a phone number or a phone_number_id, and its value a "
        .. "client"):format(tostring(number)), 3)
    end
    known[digits] = client
  end
  return function(entry)
    local client = known[entry.number]
    if not client then return unknown(entry.number) end
    return client
  end
end

local function by_function(fn)
  return function(entry)
    local client, err = fn(entry)
    if client then return client end
    if errors.is_error(err) then return nil, err end
    return unknown(entry.number)
  end
end

local function by_pool(pool)
  return function(entry)
    if not entry.number then return unknown() end
    local client, err = pool:get(entry.number)
    if not client then return nil, err end
    return client, pool:hold(client)
  end
end

--- The function that returns the client of an entry, and what must be called when the entry was sent, if anything; or nil
--- and an error. Raises for a wrong option.
---@param option waba.Client|table<string, waba.Client>|fun(entry: waba.OutboxEntry): waba.Client|nil
---@return fun(entry: table): waba.Client|nil, fun()|waba.Error|nil
function clients.finder(option)
  if type(option) == "function" then return by_function(option) end
  if option.send then return one(option) end
  if option.get and option.hold then return by_pool(option) end
  return by_number(option)
end

--- The transport where the clients wait, if it is known.
---@param option any
---@return waba.Transport|nil
function clients.transport(option)
  if type(option) ~= "table" then return nil end
  if option.transport then return option.transport end
  local _, first = next(option)
  return type(first) == "table" and first.transport or nil
end

return clients
