-- The endpoints for webhook URLs (on-premise.md, section 6; cloud.md, section 4.1): the URL of the business number; on
-- Cloud hosting also the URL of the account, and up to three destinations that get copies of the number's webhooks.

local json = require "waba.emulator.json"
local message_rules = require "waba.emulator.message_rules"
local webhooks = require "waba.emulator.webhooks"

local webhook_address = {}

local unpack = table.unpack or unpack

local function add_header_errors(headers, found)
  if type(headers) ~= "table" or headers[1] ~= nil then
    found[#found + 1] = "headers: must be an object"
    return
  end
  for name, value in pairs(headers) do
    if not name:find("^[%w!#$%%&'*+.^_`|~-]+$") then
      found[#found + 1] = "headers: a name is not the name of an HTTP header"
    elseif type(value) ~= "string" or value:find("%c") then
      found[#found + 1] = ("headers: the value of %s must be a text of one line"):format(name)
    end
  end
end

-- Cloud hosting refuses a URL with a port, or with an underscore in the host. The emulator accepts a loopback URL with
-- a port or an underscore.
local function public_error(url)
  local host, port = url:match("^https://([^/:?#]+):?(%d*)")
  if not host or host == "localhost" or host:find("^127%.") then return nil end
  if port ~= "" then return "url: must not have a port" end
  if host:find "_" then return "url: the host must not have an underscore" end
end

-- Returns the error messages for a URL with headers. `fields` has the names of all allowed fields, separated by spaces.
local function errors_of(gateway, address, fields)
  local found, known = {}, message_rules.set(fields)
  found[#found + 1] = webhooks.url_error(address.url)
  if address.headers ~= nil then add_header_errors(address.headers, found) end
  for name in pairs(address) do
    if not known[name] then found[#found + 1] = ("%s: unknown field"):format(tostring(name)) end
  end
  if #found == 0 and gateway.kind == "cloud" then found[1] = public_error(address.url) end
  table.sort(found)
  return found
end

-- Returns a handler that checks the URL in the body of a request, and passes the body to `handler`.
local function with_url(fields, handler)
  return function(gateway, request)
    local body, refusal = gateway:gateway_body(request)
    if not body then return refusal end
    local found = errors_of(gateway, body, fields)
    return #found > 0 and gateway.responses.invalid(found) or handler(gateway, body)
  end
end

local function respond(gateway, value, status) return gateway.responses.json(status or 200, value) end

local function shown(gateway, address)
  return respond(gateway, { url = address and address.url or "", headers = address and address.headers or {} })
end

local function get_number(gateway) return shown(gateway, gateway.webhooks.addresses.number) end

local function set_number(gateway, body)
  gateway.webhooks:set(body.url, body.headers)
  return get_number(gateway)
end

--- The routes that both hostings have.
webhook_address.routes = {
  { "GET", "v1/configs/webhook", get_number },
  { "POST", "v1/configs/webhook", with_url("url headers", set_number) },
}

-- The URL of the account (Cloud) ------------------------------------------------------------------

-- A new URL of the account takes effect after this number of seconds.
local ACCOUNT_DELAY = 15

local function get_account(gateway)
  local address = gateway.webhooks.addresses.account
  if not address then return gateway.responses.meta(404, "No webhook is set for this WABA") end
  return shown(gateway, address)
end

local function set_account(gateway, body)
  gateway.clock:after(ACCOUNT_DELAY, function()
    gateway.webhooks:set(body.url, body.headers, "account")
    if body.override_all == true then gateway.webhooks:set(body.url, body.headers) end
  end)
  return respond(gateway, { message = "The webhook will be active within 20 seconds" })
end

-- Further destinations (Cloud) --------------------------------------------------------------------

local MOST_DESTINATIONS = 3

local function position(list, name)
  for i, destination in ipairs(list) do
    if destination.name == name then return i end
  end
end

local function error_of(gateway, destination)
  local found = errors_of(gateway, destination, "url headers name")
  return found[1] and table.concat(found, "; ")
end

-- Adds the destinations in a body to a list. Returns an error message and the HTTP status if the body is invalid.
local function add_all(gateway, list, added)
  if type(added) ~= "table" or next(added) and not added[1] then return "destinations: must be a list", 400 end
  for _, destination in ipairs(added) do
    if type(destination) ~= "table" or type(destination.name) ~= "string" or destination.name == "" then
      return "name: this field is required", 400
    end
    local reason = error_of(gateway, destination)
    if reason then return reason, 400 end
    if position(list, destination.name) then return ("the name %s is in use"):format(destination.name), 409 end
    list[#list + 1] = destination
  end
  if #list > MOST_DESTINATIONS then return ("destinations: at most %d are allowed"):format(MOST_DESTINATIONS), 400 end
end

local function apply(gateway, list, enabled)
  for _, name in ipairs(gateway.webhooks.copies) do gateway.webhooks:forget(name) end
  gateway.destinations, gateway.destinations_enabled = list, enabled
  local copies = {}
  for i, destination in ipairs(enabled and list or {}) do
    copies[i] = "destination " .. destination.name
    gateway.webhooks:set(destination.url, destination.headers, copies[i])
  end
  gateway.webhooks.copies = copies
end

local function get_destinations(gateway)
  local list = {}
  for i, destination in ipairs(gateway.destinations) do
    list[i] = { name = destination.name, url = destination.url, headers = destination.headers or {} }
  end
  return respond(gateway, { enabled = gateway.destinations_enabled, destinations = json.array(list) })
end

-- Each of the functions `replace`, `append` and `update` applies the body of a request to a copy of the list of
-- destinations. The function returns nil and whether the destinations are enabled; or an error message and the HTTP
-- status.
local function replace(gateway, list, body)
  while #list > 0 do table.remove(list) end
  local reason, status = add_all(gateway, list, body.destinations or {})
  return reason, status or body.enabled ~= false
end

local function append(gateway, list, body)
  local reason, status = add_all(gateway, list, body.destinations)
  return reason, status or gateway.destinations_enabled or #gateway.destinations == 0
end

local function update(gateway, list, body)
  local place = position(list, body.name)
  if not place then return ("name: there is no destination %s"):format(body.name), 400 end
  local before = list[place]
  list[place] = { name = body.name, url = body.url or before.url, headers = body.headers or before.headers }
  local reason = error_of(gateway, list[place])
  return reason, reason and 400 or gateway.destinations_enabled
end

local function changing(change, message)
  return function(gateway, request)
    local body, refusal = gateway:gateway_body(request)
    if not body then return respond(gateway, { error = "the body must be a JSON object" }, refusal.status) end
    local list = { unpack(gateway.destinations) }
    local reason, result = change(gateway, list, body)
    if reason then return respond(gateway, { error = reason }, result) end
    apply(gateway, list, result)
    return respond(gateway, { message = message })
  end
end

--- The further routes of Cloud hosting.
webhook_address.cloud = { routes = {
  { "GET", "waba_webhook", get_account },
  { "POST", "waba_webhook", with_url("url headers override_all", set_account) },
  { "GET", "multi_webhook", get_destinations },
  { "POST", "multi_webhook", changing(replace, "The destinations are set") },
  { "PUT", "multi_webhook", changing(append, "The destinations are added") },
  { "PATCH", "multi_webhook", changing(update, "The destination is updated") },
} }

return webhook_address
