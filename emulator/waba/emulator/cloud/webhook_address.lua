-- Webhook addresses of Cloud hosting alone (cloud.md, section 4.1): the account's, and up to three destinations that
-- get a copy of what the number's address has accepted.

local common = require "waba.emulator.webhook_address"
local json = require "waba.emulator.json"
local responses = require("waba.emulator.responses").cloud
local rules = require "waba.emulator.rules"

local webhook_address = {}

local absent, headers_of = rules.absent, common.headers

--- The name of the account's address.
webhook_address.ACCOUNT = "waba"

-- Seconds until a new address of the account takes effect.
local ACCOUNT_DELAY = 15
local MOST_DESTINATIONS = 3

-- The account's -----------------------------------------------------------------------------------

local function get_account(gateway)
  local address = gateway.webhooks.addresses[webhook_address.ACCOUNT]
  return address and responses.json(200, common.shown(address)) or responses.meta(404,
    "No webhook is set for this WABA")
end

local function set_account(gateway, request)
  local body, refusal = common.read(gateway, request, { override_all = true })
  if not body then return refusal end
  gateway.clock:after(ACCOUNT_DELAY, function()
    gateway.webhooks:set(body.url, headers_of(body), webhook_address.ACCOUNT)
    if body.override_all == true then gateway.webhooks:set(body.url, headers_of(body)) end
  end)
  return responses.json(200, { message = "The webhook will be active within 20 seconds" })
end

-- Further destinations ----------------------------------------------------------------------------

local function error_of(gateway, destination)
  local found = common.errors(gateway, destination, { name = true })
  return #found > 0 and table.concat(found, "; ") or nil
end

local function failure(status, text) return responses.json(status, { error = text }) end

local function find(list, name)
  for i, destination in ipairs(list) do
    if destination.name == name then return i end
  end
end

local function address_name(name) return "destination " .. name end

local function apply(gateway, list, enabled)
  for _, name in ipairs(gateway.webhooks.copies) do gateway.webhooks:forget(name) end
  gateway.destinations, gateway.destinations_enabled = list, enabled
  local copies = {}
  for i, destination in ipairs(enabled and list or {}) do
    copies[i] = address_name(destination.name)
    gateway.webhooks:set(destination.url, headers_of(destination), copies[i])
  end
  gateway.webhooks.copies = copies
end

-- Returns the existing destinations and those in the body; or a refusal if the body is invalid.
local function add_all(gateway, list, given)
  if type(given) ~= "table" or next(given) ~= nil and given[1] == nil then
    return nil, failure(400, "destinations: must be a list")
  end
  for _, destination in ipairs(given) do
    if type(destination) ~= "table" or type(destination.name) ~= "string" or destination.name == "" then
      return nil, failure(400, "name: this field is required")
    end
    local reason = error_of(gateway, destination)
    if reason then return nil, failure(400, reason) end
    if find(list, destination.name) then
      return nil, failure(409, ("the name %s is in use"):format(destination.name))
    end
    list[#list + 1] = destination
  end
  if #list > MOST_DESTINATIONS then
    return nil, failure(400, ("at most %d destinations are allowed"):format(MOST_DESTINATIONS))
  end
  return list
end

local function copy(list)
  local copied = {}
  for i, destination in ipairs(list) do copied[i] = destination end
  return copied
end

local function read_body(gateway, request)
  local body, refusal = gateway:gateway_body(request)
  if not body then return nil, failure(refusal.status, "the body must be a JSON object") end
  return body
end

local function get_destinations(gateway)
  local list = {}
  for i, destination in ipairs(gateway.destinations) do
    list[i] = { name = destination.name, url = destination.url, headers = headers_of(destination) }
  end
  return responses.json(200, { enabled = gateway.destinations_enabled, destinations = json.array(list) })
end

local function replace_destinations(gateway, request)
  local body, refusal = read_body(gateway, request)
  if not body then return refusal end
  local list
  list, refusal = add_all(gateway, {}, absent(body.destinations) and {} or body.destinations)
  if not list then return refusal end
  apply(gateway, list, body.enabled ~= false)
  return responses.json(200, { message = "The destinations are set" })
end

local function append_destinations(gateway, request)
  local body, refusal = read_body(gateway, request)
  local list
  if body then list, refusal = add_all(gateway, copy(gateway.destinations), body.destinations) end
  if not list then return refusal end
  apply(gateway, list, gateway.destinations_enabled or #gateway.destinations == 0)
  return responses.json(200, { message = "The destinations are added" })
end

local function update_destination(gateway, request)
  local body, refusal = read_body(gateway, request)
  if not body then return refusal end
  local list = copy(gateway.destinations)
  local place = find(list, body.name)
  if not place then return failure(400, "there is no destination of this name") end
  local updated = { name = body.name, url = absent(body.url) and list[place].url or body.url,
    headers = absent(body.headers) and list[place].headers or body.headers }
  local reason = error_of(gateway, updated)
  if reason then return failure(400, reason) end
  list[place] = updated
  apply(gateway, list, gateway.destinations_enabled)
  return responses.json(200, { message = "The destination is updated" })
end

webhook_address.routes = {
  { "GET", "waba_webhook", get_account },
  { "POST", "waba_webhook", set_account },
  { "GET", "multi_webhook", get_destinations },
  { "POST", "multi_webhook", replace_destinations },
  { "PUT", "multi_webhook", append_destinations },
  { "PATCH", "multi_webhook", update_destination },
}

return webhook_address
