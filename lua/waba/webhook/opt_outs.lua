-- The customers who want no marketing messages, as reported by the platform (preferences, error 131050) or recorded by
-- a program. Records of the inbox's store: suppressed:<number>/<name> has the reason and a time in Unix seconds; a
-- record without a number is valid for all numbers.

local errors = require "waba.errors"
local identity = require "waba.webhook.identity"
local protect = require("waba.runtime").protect
local recipient = require "waba.recipient"
local window = require "waba.inbox.window"

local opt_outs = {}

-- The code in a status when the customer has stopped the marketing messages of this business (cloud.md, section 6.3).
local STOPPED = 131050

-- The number of records that are read in one call.
local PAGE = 500

local function record(scope, name, reason)
  return { name = "suppressed:" .. scope .. name, value = reason and ("%s %.0f"):format(reason, os.time()) or nil }
end

-- Returns the names of an event's customer.
local function each_name(customer, visit)
  if customer.phone then visit(customer.phone) end
  if customer.user_id then visit(customer.user_id) end
end

local function has_stopped(event)
  for _, err in ipairs(event.kind == "status" and event.errors or {}) do
    if err.code == STOPPED then return true end
  end
  return false
end

--- Adds the records that an event causes.
---@param event waba.Event  with `customer`
---@param scope string
---@param records waba.StoreRecord[]
function opt_outs.note(event, scope, records)
  local reason
  if event.kind == "preference" and event.category == "marketing_messages" then
    if event.value == "stop" then reason = "preference" elseif event.value == "resume" then reason = false end
  elseif has_stopped(event) then
    reason = tostring(STOPPED)
  end
  if reason == nil then return end
  each_name(event.customer, function(name) records[#records + 1] = record(scope, name, reason) end)
end

local function store_of(inbox)
  if not inbox.get then error("the receiver's inbox has no store for opt-outs: use one of waba.inbox", 3) end
  return inbox
end

-- Returns the prefix of a number in the records; "" for all numbers.
local function scope_of(inbox, number)
  if number == nil then return "" end
  return window.scopes(inbox, number)[1] or recipient.business_number(number) .. "/"
end

local function write(inbox, to, number, reason)
  local name, err = recipient.read(to)
  if not name then return nil, err end
  local ok, failure = inbox.store:settle({}, { record(scope_of(store_of(inbox), number), name, reason) }, true)
  if not ok then return nil, failure end
  return true
end

--- Records that a customer wants no marketing messages.
---@param inbox waba.Inbox
---@param to string|number|{ user_id: string }
---@param number? string|number  by default all numbers
---@return true|nil
---@return waba.Error? err
function opt_outs.add(inbox, to, number)
  return write(inbox, to, number, "own")
end

--- Removes the record of a customer.
---@param inbox waba.Inbox
---@param to string|number|{ user_id: string }
---@param number? string|number
---@return true|nil
---@return waba.Error? err
function opt_outs.remove(inbox, to, number)
  return write(inbox, to, number, nil)
end

-- Reads the records of several names.
local function add_rows(inbox, names, scope, numbers, rows, known)
  local values, err = inbox.store:get_all(names)
  if not values then return nil, err end
  for _, name in ipairs(names) do
    local own_scope, to = name:match "^suppressed:(.-)([^/]+)$"
    local reason, at = (values[name] or ""):match "^(%S+) (%d+)$"
    if reason and not known[name] and (not scope or scope == own_scope) then
      known[name] = true
      rows[#rows + 1] = { to = to, reason = reason, at = tonumber(at), number = numbers[own_scope] }
    end
  end
  return true
end

--- Lists the customers who want no marketing messages.
---@param inbox waba.Inbox
---@param number? string|number
---@return { to: string, reason: string, at: integer, number: string? }[]|nil  without number: customers of all business numbers
---@return waba.Error? err
function opt_outs.list(inbox, number)
  local rows, known, numbers, after = {}, {}, window.numbers(store_of(inbox)), nil
  local scope = number ~= nil and scope_of(inbox, number) or nil
  repeat
    local names, more = inbox.store:record_names("suppressed:", PAGE, after)
    if not names then return nil, more end
    local ok, err = add_rows(inbox, names, scope, numbers, rows, known)
    if not ok then return nil, err end
    after = more
  until not after
  table.sort(rows, function(a, b) return a.to < b.to end)
  return rows
end

--- Returns the reason for which a customer gets no marketing messages of a number.
---@param inbox waba.Inbox
---@param to string|number|{ user_id: string }
---@param number? string|number  by default any number
---@return string|false|nil reason  "preference", "131050" or "own"; false if there is no such record
---@return waba.Error? err
function opt_outs.reason(inbox, to, number)
  local name, err = recipient.read(to)
  if not name then return nil, err end
  store_of(inbox)
  local function get(key)
    local value, failure = inbox:get(key)
    if failure then error(failure, 0) end
    return value
  end
  local ok, reason = protect(function()
    local scopes = window.scopes(inbox, number)
    scopes[#scopes + 1] = ""
    for _, scope in ipairs(scopes) do
      local key, other = identity.names(scope, name, get)
      for _, one in ipairs { name, key, other } do
        local value = get("suppressed:" .. scope .. one) or get("suppressed:" .. one)
        if value then return value:match "^%S+" end
      end
    end
    return false
  end)
  if not ok then
    if errors.is_error(reason) then return nil, reason end
    error(reason, 0)
  end
  return reason
end

return opt_outs
