-- Stores the customers who want no marketing messages, as reported by the platform (preferences, error 131050) or
-- recorded by a program. The record suppressed:<number>/<name> of the inbox's store has the reason and the time in Unix
-- seconds. A record without a number is valid for all numbers.

local identity = require "waba.webhook.identity"
local recipient = require "waba.recipient"
local window = require "waba.inbox.window"

local opt_outs = {}

-- The error code of a status if the customer has stopped the marketing messages of this business (cloud.md, section
-- 6.3).
local STOPPED = 131050

local PAGE = 500 -- the number of records that are read in one call

-- Returns the scope with the digits of an event's business number, if `scope` has the phone_number_id; else nil. `set`
-- uses the digits until an event has shown the phone_number_id.
local function digits_scope(event, scope)
  local digits = type(event.number) == "string" and event.number .. "/" or nil
  return digits ~= scope and digits or nil
end

local function record(scope, name, reason)
  return { name = "suppressed:" .. scope .. name, value = reason and ("%s %.0f"):format(reason, os.time()) or nil }
end

local function has_stopped(event)
  if event.kind ~= "status" or not event.errors then return false end
  for _, err in ipairs(event.errors) do
    if err.code == STOPPED then return true end
  end
  return false
end

--- If an event reports whether the customer wants marketing messages, appends the records to write to `records`.
---@param event waba.Event  an event with the field `customer`
---@param scope string  see `keys.scope`
---@param records waba.StoreRecord[]
function opt_outs.note(event, scope, records)
  local reason
  if event.kind == "preference" and event.category == "marketing_messages" then
    if event.value == "stop" then reason = "preference" elseif event.value == "resume" then reason = false end
  elseif has_stopped(event) then
    reason = tostring(STOPPED)
  end
  if reason == nil then return end
  local other_scope = not reason and digits_scope(event, scope)
  for _, name in pairs { phone = event.customer.phone, user_id = event.customer.user_id } do
    records[#records + 1] = record(scope, name, reason)
    if other_scope then records[#records + 1] = record(other_scope, name) end
  end
end

--- Appends the records that move the opt-outs of a customer from the previous names to the new names. If the event has
--- no business number, moves the opt-outs at all numbers. `get` reads a record of the store.
function opt_outs.move(inbox, event, scope, previous, customer, get, records)
  local beginnings = { "" }
  for _, one in ipairs(scope == "" and window.scopes(inbox) or { scope, digits_scope(event, scope) }) do
    if one ~= "" then beginnings[#beginnings + 1] = one end
  end
  for kind, name in pairs { phone = previous.phone, user_id = previous.user_id } do
    local new_name = customer[kind] or customer.key
    for _, beginning in ipairs(beginnings) do
      local old = "suppressed:" .. beginning .. name
      local value = name ~= new_name and get(old)
      if value then
        records[#records + 1] = { name = "suppressed:" .. beginning .. new_name, value = value }
        records[#records + 1] = { name = old }
      end
    end
  end
end

-- Returns the scopes of the records of a business number. Without a number, returns "", the scope of the records that
-- are valid for all numbers.
local function scopes_of(inbox, number)
  if number == nil then return { "" } end
  local scopes = {}
  for _, scope in ipairs(window.scopes(inbox, number)) do
    if scope ~= "" then scopes[#scopes + 1] = scope end
  end
  return scopes[1] and scopes or { recipient.business_number(number) .. "/" }
end

-- Returns the names of the records that `set` may have made for a customer.
local function names_of(inbox, to, number)
  local customer, err = identity.names(inbox, to, number)
  if not customer then return nil, err end
  local names = {}
  for _, scope in ipairs(scopes_of(inbox, number)) do
    for _, name in ipairs(customer) do names[#names + 1] = record(scope, name).name end
  end
  return names
end

--- Records that a customer wants no marketing messages. Without a reason, removes the record. Without a number, the
--- record is valid for all numbers. Returns true, or nil and an error.
function opt_outs.set(inbox, to, number, reason)
  identity.reader(inbox)
  local name, err = recipient.read(to)
  if not name then return nil, err end
  local records = {}
  if reason then
    records[1] = record(scopes_of(inbox, number)[1], name, reason)
    records[2] = number ~= nil and window.number_record(inbox, number) or nil
  else
    for index, one in ipairs(names_of(inbox, to, number)) do records[index] = { name = one } end
  end
  local ok, failure = inbox.store:settle({}, records, true)
  if not ok then return nil, failure end
  return true
end

--- Returns whether the store has a record that `set` would remove, or nil and an error.
function opt_outs.is_set(inbox, to, number)
  local names, err = names_of(inbox, to, number)
  if not names then return nil, err end
  local values, failure = inbox.store:get_all(names)
  if not values then return nil, failure end
  return next(values) ~= nil
end

--- Lists the customers who want no marketing messages from a business number, or from any business number.
---@return { to: string, reason: string, at: integer, number: string? }[]|nil
---@return waba.Error? err
function opt_outs.list(inbox, number)
  local rows, known, numbers, after = {}, {}, window.numbers(inbox), nil
  local scopes
  for _, scope in ipairs(number ~= nil and scopes_of(inbox, number) or {}) do
    scopes = scopes or {}
    scopes[scope] = true
  end
  repeat
    local names, more = inbox.store:record_names("suppressed:", PAGE, after)
    if not names then return nil, more end
    local values, err = inbox.store:get_all(names)
    if not values then return nil, err end
    for _, name in ipairs(names) do
      local own_scope, to = name:match "^suppressed:(.-)([^/]+)$"
      local reason, at = (values[name] or ""):match "^(%S+) (%d+)$"
      if reason and not known[name] and (not scopes or scopes[own_scope]) then
        known[name] = true
        rows[#rows + 1] = { to = to, reason = reason, at = tonumber(at), number = numbers[own_scope] }
      end
    end
    after = more
  until not after
  table.sort(rows, function(a, b) return a.to < b.to end)
  return rows
end

--- See `Receiver:suppressed`.
---@return string|false|nil reason  "preference", "131050" or "own"; false: the customer gets marketing messages
---@return waba.Error? err
function opt_outs.reason(inbox, to, number)
  local values, err = identity.read_all(inbox, to, number, "suppressed:%s", true)
  if not values then return nil, err end
  return values[1] and values[1]:match "^%S+" or false
end

return opt_outs
