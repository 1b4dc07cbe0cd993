-- Webhook addresses (cloud.md, section 4.1): the number's, the account's, and up to three destinations
-- that get a copy of what the number's address has taken.

local answers = require "waba.emulator.cloud.answers"
local json = require "waba.emulator.json"
local walker = require "waba.emulator.cloud.walker"
local webhook_rules = require "waba.emulator.webhook_rules"
local webhooks = require "waba.emulator.webhooks"

local webhook_address = {}

local absent = walker.absent

--- The name of the account's address.
webhook_address.ACCOUNT = "waba"

-- Seconds until the account's address holds.
local ACCOUNT_DELAY = 15
local MOST_DESTINATIONS = 3

-- ---- The number's and the account's ----------------------------------------------------------------

local FIELDS = { url = true, headers = true }
local ACCOUNT_FIELDS = { url = true, headers = true, override_all = true }

-- 360dialog takes no port and no underscore; on loopback neither matters, which is where tests listen.
local function public_problem(url)
  local host, port = url:match("^https://([^/:?#]+):?(%d*)")
  if not host or host == "localhost" or host:find("^127%.") then return nil end
  if port ~= "" then return "url: must not have a port" end
  if host:find("_", 1, true) then return "url: the host must not have an underscore" end
end

local function problem_of(body, fields)
  local found = webhook_rules.problems(body, fields)
  found[#found + 1] = #found == 0 and public_problem(body.url) or nil
  return #found > 0 and table.concat(found, "; ") or nil
end

local function headers_of(body) return not absent(body.headers) and body.headers or {} end

local function shown(address)
  return { url = address and address.url or "", headers = address and address.headers or {} }
end

local function get_number(gateway)
  return answers.json(200, shown(gateway.webhooks.addresses[webhooks.NUMBER]))
end

local function read_address(gateway, request, fields)
  local body, refusal = gateway:gateway_body(request)
  if not body then return nil, refusal end
  local problem = problem_of(body, fields)
  if problem then return nil, answers.meta(400, problem) end
  return body
end

local function set_number(gateway, request)
  local body, refusal = read_address(gateway, request, FIELDS)
  if not body then return refusal end
  gateway.webhooks:set(body.url, headers_of(body))
  return get_number(gateway)
end

local function get_account(gateway)
  local address = gateway.webhooks.addresses[webhook_address.ACCOUNT]
  return address and answers.json(200, shown(address)) or answers.meta(404, "No webhook is set for this WABA")
end

local function set_account(gateway, request)
  local body, refusal = read_address(gateway, request, ACCOUNT_FIELDS)
  if not body then return refusal end
  gateway.clock:after(ACCOUNT_DELAY, function()
    gateway.webhooks:set(body.url, headers_of(body), webhook_address.ACCOUNT)
    if body.override_all == true then gateway.webhooks:set(body.url, headers_of(body)) end
  end)
  return answers.json(200, { message = "The webhook will be active within 20 seconds" })
end

-- ---- Further destinations --------------------------------------------------------------------------

local DESTINATION_FIELDS = { name = true, url = true, headers = true }

local function failure(status, text) return answers.json(status, { error = text }) end

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

-- The destinations of a body added to some; or an answer that refuses them.
local function add_all(list, given)
  if type(given) ~= "table" or next(given) ~= nil and given[1] == nil then
    return nil, failure(400, "destinations: must be a list")
  end
  for _, destination in ipairs(given) do
    if type(destination) ~= "table" or type(destination.name) ~= "string" or destination.name == "" then
      return nil, failure(400, "name: this field is required")
    end
    local problem = problem_of(destination, DESTINATION_FIELDS)
    if problem then return nil, failure(400, problem) end
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
  return answers.json(200, { enabled = gateway.destinations_enabled, destinations = json.array(list) })
end

local function replace_destinations(gateway, request)
  local body, refusal = read_body(gateway, request)
  if not body then return refusal end
  local list
  list, refusal = add_all({}, absent(body.destinations) and {} or body.destinations)
  if not list then return refusal end
  apply(gateway, list, body.enabled ~= false)
  return answers.json(200, { message = "The destinations are set" })
end

local function append_destinations(gateway, request)
  local body, refusal = read_body(gateway, request)
  local list
  if body then list, refusal = add_all(copy(gateway.destinations), body.destinations) end
  if not list then return refusal end
  apply(gateway, list, gateway.destinations_enabled or #gateway.destinations == 0)
  return answers.json(200, { message = "The destinations are added" })
end

local function update_destination(gateway, request)
  local body, refusal = read_body(gateway, request)
  if not body then return refusal end
  local list = copy(gateway.destinations)
  local place = find(list, body.name)
  if not place then return failure(400, "there is no destination of this name") end
  local updated = { name = body.name, url = absent(body.url) and list[place].url or body.url,
    headers = absent(body.headers) and list[place].headers or body.headers }
  local problem = problem_of(updated, DESTINATION_FIELDS)
  if problem then return failure(400, problem) end
  list[place] = updated
  apply(gateway, list, gateway.destinations_enabled)
  return answers.json(200, { message = "The destination is updated" })
end

--- Adds the routes of this section.
---@param route fun(method: string, path: string, handler: function)
function webhook_address.routes(route)
  route("GET", "v1/configs/webhook", get_number)
  route("POST", "v1/configs/webhook", set_number)
  route("GET", "waba_webhook", get_account)
  route("POST", "waba_webhook", set_account)
  route("GET", "multi_webhook", get_destinations)
  route("POST", "multi_webhook", replace_destinations)
  route("PUT", "multi_webhook", append_destinations)
  route("PATCH", "multi_webhook", update_destination)
end

return webhook_address
