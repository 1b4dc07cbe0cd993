-- Builds the HTTP request of a call, sends it by lua/waba/delivery, and reads the result.

local core = require "waba.core"
local errors = require "waba.errors"
local loopback = require "waba.loopback"
local runtime = require "waba.runtime"
local version = require "waba.version"
local wire_string = require("waba.message.parts").wire_string

local encode = core.encode

--- The options of a call to an endpoint. `perform` adds the fields of the request.
---@class waba.Call: waba.Request
---@field parameters? table<string, string>  the values of the `{name}` parts of the endpoint's path
---@field query? table<string, any>
---@field json? any                 the body as a table, which is encoded as JSON
---@field body? string|table        the body as bytes, a file or a reader (transport/contract.lua)
---@field media_type? string        the MIME type of `body`
---@field headers? table<string, string>  additional headers; ignored if parameters, query and media_type are all nil
---@field timeout? number           seconds; default: the client's `timeout`. lua/waba/delivery writes the remaining
---        seconds into this field before each attempt
---@field to? string                the recipient of a message; the recipient's rate limit applies
---@field bulk? boolean             true: all waiting calls without `bulk` are sent first
---@field slot? waba.OrderedSlot    delays the call until the previous message to the recipient was sent or delivered
---@field before_attempt? function  as in waba.SendOptions; the argument is the call
---@field before_retry? function    as in waba.SendOptions; the arguments are the error and the call

-- Request heads -----------------------------------------------------------------------------------

local JSON_TYPE = "application/json"

local function percent(text) return require("waba.encoding").percent(text) end

local function fill(path, parameters)
  return (path:gsub("{(%+?)([%w_]+)}", function(raw, name)
    return raw == "" and percent(wire_string(parameters[name])) or parameters[name]
  end))
end

-- The base URL of the sandbox ends in /v1, which must not occur twice in the URL.
local function url_of(base_url, path)
  if path:find("^/v1/") and base_url:find("/v1$") then path = path:sub(4) end
  return base_url .. path
end

local function query_string(query)
  if not query then return "" end
  local names = {}
  for name in pairs(query) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do
    names[i] = percent(name) .. "=" .. percent(tostring(wire_string(query[name])))
  end
  return #names > 0 and "?" .. table.concat(names, "&") or ""
end

local function new_headers(accept, media_type, more)
  local headers = { ["Content-Type"] = media_type, Accept = accept, ["User-Agent"] = "waba/" .. version }
  for name, value in pairs(more or {}) do headers[name] = value end
  return headers
end

local json_headers = new_headers(JSON_TYPE, JSON_TYPE)

local function headers_of(endpoint, media_type, more)
  if media_type == JSON_TYPE and not endpoint.binary and not more then return json_headers end
  return new_headers(endpoint.binary and "*/*" or JSON_TYPE, media_type, more)
end

local function new_head(client, endpoint, path, query, media_type, more)
  return {
    method = endpoint.method, url = url_of(client.base_url, path) .. query_string(query),
    headers = headers_of(endpoint, media_type, more), credentials = client.credentials,
    idempotent = endpoint.idempotent or endpoint.method == "GET", owner = client,
  }
end

-- Calls without parameters share one head for each endpoint, so that the transport can cache the bytes of the head.
local function head_of(client, endpoint, call)
  if call.parameters or call.query or call.media_type then
    return new_head(client, endpoint, call.parameters and fill(endpoint.path, call.parameters) or endpoint.path,
      call.query or endpoint.query, call.media_type or (call.json ~= nil and JSON_TYPE or nil), call.headers)
  end
  local head = client.heads[endpoint]
  if not head then
    head = new_head(client, endpoint, endpoint.path, endpoint.query, endpoint.method ~= "GET" and JSON_TYPE or nil)
    client.heads[endpoint] = head
  end
  return head
end

-- Errors ------------------------------------------------------------------------------------------

-- An empty value, "." or ".." in a path would select another endpoint.
local function check_parameters(parameters)
  for name, value in pairs(parameters) do
    if value == "" or value == "." or value == ".." then
      return nil, errors.invalid(name, ('%s is "%s": expected a name or an id'):format(name, value))
    end
  end
  return true
end

local UNREACHED = { network = true, tls = true, timeout = true }

local function uses_proxy(client)
  if client.has_proxy ~= nil then return client.has_proxy end
  -- libcurl reads the proxy of an https URL from these environment variables
  for _, name in ipairs { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" } do
    if (os.getenv(name) or "") ~= "" then return true end
  end
  return false
end

-- Returns whether the error means that no connection to the gateway could be established. An error with a field `scope`
-- does not count, because it is a timeout in the queue of a rate limiter, before any connection. Returns false if a
-- proxy is used, because the proxy can be the cause of the error.
local function is_unreached(client, err)
  return UNREACHED[err.kind] and not err.status and not err.maybe_sent and not err.scope
    and not loopback.is_url(client.base_url) and not uses_proxy(client)
end

-- If the gateway does not know the key or the path, or can't be reached, adds a hint to the error text: the phone
-- number may belong to the other hosting.
local function with_hint(client, endpoint, err)
  if client.sandbox or err.code then return err end -- an error code comes from the platform, so the hosting is correct
  local hints, hint = client.hosting.errors.hints, nil
  -- if the path has an id, the status 404 can also mean that the id is unknown
  local is_fixed = not endpoint.raw and not endpoint.path:find "{"
  if err.status == 401 or err.status == 404 and is_fixed then
    hint = hints.refused
  elseif is_unreached(client, err) then
    hint = hints.unreached
  end
  if hint then err.message = err.message .. "; " .. hint end
  return err
end

--- Calls an endpoint. Writes the fields of the request into `call`, so that no second table is needed.
---@param client waba.Client
---@param endpoint waba.Endpoint
---@param call waba.Call      a new table for each call
---@param is_held? boolean    true: the pool of the client does not close the client during the call
---@return any json  the decoded response; true for an empty response; nil after an error
---@return waba.Response|waba.Error response
local function perform(client, endpoint, call, is_held)
  if client.pooled and not is_held then return client.pooled:call(perform, endpoint, call) end
  if client.expected_number and endpoint ~= client.hosting.endpoints.phone_number then
    local verified, err = runtime.require("waba.resource.phone_number").ensure(client)
    if not verified then return nil, err end
  end
  if call.parameters then
    local valid, err = check_parameters(call.parameters)
    if not valid then return nil, err end
  end
  if call.json ~= nil then
    local body, message, path = encode(call.json)
    if not body then return nil, errors.invalid(path, message) end
    call.body = body
  end
  call.head, call.connect_timeout = head_of(client, endpoint, call), client.connect_timeout
  local response, json = client.delivery:call(call, endpoint, call.timeout or client.timeout)
  if not response then return nil, with_hint(client, endpoint, json) end
  if json == nil then json = true end
  return json, response
end

return perform
