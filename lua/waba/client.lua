-- One phone number's door to the gateway: builds requests, hands them to the delivery, reads the
-- answers. The resources beside it (lua/waba/resource) go through `client:call` too.

local core = require "waba.core"
local errors = require "waba.errors"
local options = require "waba.options"
local delivery = require "waba.delivery"
local schema = require "waba.schema"
local recipient = require "waba.recipient"
local phone_number = require "waba.resource.phone_number"
local transports = require "waba.transport"
local version = require "waba.version"

local encode, check, normalize = core.encode, schema.check, recipient.normalize
local type = type

---@class waba.Client
---@field contacts waba.ContactsResource
---@field media waba.MediaResource
---@field profile waba.ProfileResource
---@field templates waba.TemplatesResource
---@field webhook waba.WebhookResource
local Client = {}
Client.__index = Client
Client.__name = "waba.Client"

local client = {}

local HOSTINGS = { on_premise = "waba.hosting.on_premise" }

-- Groups of methods: client.contacts, client.media, …
local RESOURCES = {
  contacts = "waba.resource.contacts",
  media = "waba.resource.media",
  profile = "waba.resource.profile",
  templates = "waba.resource.templates",
  webhook = "waba.resource.webhook",
}

function Client:__tostring()
  return "waba.Client: " .. self.base_url .. (self.closed and " (closed)" or "")
end

--- What `waba.client` takes.
---@class waba.ClientOptions
---@field api_key string           the D360-API-KEY of one number
---@field hosting? "on_premise"    which gateway; "on_premise" by default
---@field sandbox? boolean         360dialog's own sandbox host
---@field base_url? string         another gateway, such as the emulator; overrides hosting and sandbox
---@field timeout? number          seconds for a call, its waits and repeats included; 30 by default
---@field connect_timeout? number  seconds for each connection; 10 by default
---@field ca_file? string          PEM file of the authorities to trust instead of the system's
---@field proxy? string            URL
---@field namespace? string        default namespace of templates
---@field transport? string|waba.Transport  "curl" or "ngx", or any table with a method `send`; by
---                                default "ngx" inside nginx, else "curl"
---@field loop? string             of the curl transport: "blocking", "native", "cqueues", "luv" or "copas";
---                                detected by default, but for "luv"
---@field expect_number? string|integer  the number the key must belong to: before its first request the
---                                client asks the gateway, and refuses with kind "auth" if it is another's
---@field retry? waba.RetryOptions|false
---@field pace? { messages: waba.Rate, other: waba.Rate }|false  the hosting's published rates by default
---@field validate? boolean|"documented"  check messages before they are sent; "documented": only by
---                                rules the platform documents; true by default
---@field max_connections? integer  of the curl transport; 16 by default
---@field on_event? fun(event: table)  told of every attempt and every repeat; sees no secret
local KNOWN = {
  api_key = "string", hosting = "string", sandbox = "boolean", base_url = "string",
  timeout = "number", connect_timeout = "number", ca_file = "string", proxy = "string",
  namespace = "string", transport = "string|table", loop = "string", retry = "table|false",
  expect_number = "string|integer", pace = "table|false", validate = "boolean|string", max_connections = "integer",
  on_event = "function",
}
local KNOWN_RETRY = { attempts = "integer", base = "number", max = "number", ambiguous = "boolean" }
local KNOWN_PACE = { messages = "table", other = "table" }
local KNOWN_RATE = { rate = "number", burst = "integer" }

-- Refuses what is no positive number of seconds.
local function check_seconds(given, name)
  local seconds = given[name]
  if seconds and (seconds ~= seconds or seconds <= 0) then
    error(("waba.client: option %s must be a number of seconds above 0"):format(name), 4)
  end
end

local function check_pace(pace)
  options.check(pace, KNOWN_PACE, "waba.client: pace", 4)
  for class, rate in pairs(pace) do
    options.check(rate, KNOWN_RATE, "waba.client: pace." .. class, 4)
    if not (rate.rate and rate.rate > 0 and rate.burst and rate.burst >= 1) then
      error(("waba.client: pace.%s needs rate above 0 and burst of at least 1"):format(class), 4)
    end
  end
end

local function check_options(given)
  options.check(given, KNOWN, "waba.client", 3)
  if not given or given.api_key == nil then error("waba.client: option api_key is required", 3) end
  if given.api_key == "" then error("waba.client: option api_key is empty", 3) end
  if given.hosting and not HOSTINGS[given.hosting] then
    local near = options.nearest(given.hosting, HOSTINGS)
    error(('waba.client: option hosting: unknown hosting "%s"%s'):format(given.hosting,
      near and (" (did you mean %s?)"):format(near) or ""), 3)
  end
  if type(given.validate) == "string" and given.validate ~= "documented" then
    error('waba.client: option validate must be true, false or "documented"', 3)
  end
  if given.max_connections and not (given.max_connections >= 1 and given.max_connections <= 1000) then
    error("waba.client: option max_connections must be between 1 and 1000", 3)
  end
  if given.base_url and given.base_url:find("[?#]") then
    error("waba.client: option base_url must have neither a query nor a fragment", 3)
  end
  check_seconds(given, "timeout")
  check_seconds(given, "connect_timeout")
  if given.retry then
    options.check(given.retry, KNOWN_RETRY, "waba.client: retry", 3)
    if given.retry.attempts and given.retry.attempts < 1 then
      error("waba.client: retry.attempts must be at least 1", 3)
    end
    for _, name in ipairs { "base", "max" } do
      local seconds = given.retry[name]
      if seconds and not (seconds >= 0 and seconds < math.huge) then
        error(("waba.client: retry.%s must be a number of seconds, 0 or more"):format(name), 3)
      end
    end
  end
  if given.pace then check_pace(given.pace) end
end

local function choose_transport(given)
  local fine, transport, owned = pcall(transports.new, given)
  if not fine then error(transport, 3) end
  return transport, owned
end

-- The secret header, bound to the origin of the gateway's URL.
local function credentials_for(base_url, api_key)
  local origin, message = core.origin(base_url)
  if not origin then error("waba.client: option base_url: " .. message, 3) end
  local credentials
  credentials, message = core.credentials { header = "D360-API-KEY", value = api_key, origin = origin }
  if not credentials then error("waba.client: option api_key: " .. message, 3) end
  return credentials
end

--- One phone number at 360dialog: one API key.
---@param given waba.ClientOptions
---@return waba.Client
function client.new(given)
  check_options(given)
  local hosting = require(HOSTINGS[given.hosting or "on_premise"])
  local base_url = given.base_url or given.sandbox and hosting.sandbox_url or hosting.base_url
  base_url = base_url:gsub("/+$", "")
  local self = {
    hosting = hosting, base_url = base_url, sandbox = given.sandbox or false,
    timeout = given.timeout or 30, connect_timeout = given.connect_timeout or 10,
    validate = given.validate == nil or given.validate, namespace = given.namespace,
    credentials = credentials_for(base_url, given.api_key),
    expected_number = given.expect_number
      and phone_number.expected(given.expect_number, "waba.client: option expect_number"),
    heads = {}, -- endpoint to request head, for paths without parameters
  }
  self.transport, self.owns_transport = choose_transport(given)
  local pace = given.pace
  if pace == nil then pace = hosting.pace end
  local retry = given.retry
  if retry == nil then retry = {} end
  self.delivery = delivery.new {
    transport = self.transport, hosting = hosting, retry = retry, pace = pace, on_event = given.on_event,
  }
  for name, module in pairs(RESOURCES) do self[name] = require(module).new(self) end
  return setmetatable(self, Client)
end

-- The fixed headers of a request, by the media type of its body.
local function headers_for(media_type, accept)
  return { ["Content-Type"] = media_type, Accept = accept or "application/json", ["User-Agent"] = "waba/" .. version }
end

local JSON_TYPE = "application/json"

-- Fills a path; a value that is missing is the caller's mistake in this library.
local function fill(path, parameters)
  return (path:gsub("{([%w_]+)}", function(name) return core.percent_encode(parameters[name]) end))
end

local function query_string(query)
  if not query then return "" end
  local names = {}
  for name in pairs(query) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do
    names[i] = core.percent_encode(name) .. "=" .. core.percent_encode(tostring(query[name]))
  end
  return #names > 0 and "?" .. table.concat(names, "&") or ""
end

local function new_head(self, endpoint, path, query, media_type)
  return {
    method = endpoint.method, url = self.base_url .. path .. query_string(query),
    headers = headers_for(media_type, endpoint.binary and "*/*"), credentials = self.credentials,
    idempotent = endpoint.idempotent or false,
  }
end

-- The head of a request. It is the same table from call to call where the path has no parameters,
-- so that the transport can keep what it made of it.
local function head_for(self, endpoint, call)
  if call.parameters or call.query or call.media_type then
    return new_head(self, endpoint, call.parameters and fill(endpoint.path, call.parameters) or endpoint.path,
      call.query, call.media_type or (call.json ~= nil and JSON_TYPE or nil))
  end
  local head = self.heads[endpoint]
  if not head then
    head = new_head(self, endpoint, endpoint.path, nil, endpoint.method ~= "GET" and JSON_TYPE or nil)
    self.heads[endpoint] = head
  end
  return head
end

--- What one call of an endpoint adds to it.
---@class waba.Call
---@field parameters? table<string, string>  of the path
---@field query? table<string, any>
---@field json? any                 the body, to be encoded
---@field body? string|table        the body as bytes, file or reader (transport contract)
---@field media_type? string        of such a body
---@field into? table               where a 2xx body goes (transport contract)
---@field progress? function
---@field max_body? integer         bytes of an answer kept in memory (transport contract)
---@field timeout? number           seconds; the client's by default

-- A path's parameter that would climb the path, or leave it.
local function misplaced(parameters)
  for name, value in pairs(parameters) do
    if value == "" or value == "." or value == ".." then
      return errors.invalid(name, name .. (' is "%s", which names nothing'):format(value))
    end
  end
end

--- Calls one endpoint: the way of every method to the gateway.
---@param endpoint waba.Endpoint
---@param call waba.Call
---@return any json  the decoded answer (true for an empty one), or nil
---@return waba.Response|waba.Error response  or the error
function Client:call(endpoint, call)
  if self.closed then error("attempt to use a closed client", 3) end
  if self.expected_number and endpoint ~= self.hosting.endpoints.phone_number then
    local verified, err = phone_number.ensure(self)
    if not verified then return nil, err end
  end
  local misplacement = call.parameters and misplaced(call.parameters)
  if misplacement then return nil, misplacement end
  local body = call.body
  if call.json ~= nil then
    local message, path
    body, message, path = encode(call.json)
    if not body then return nil, errors.invalid(path, message) end
  end
  local timeout = call.timeout or self.timeout
  local request = {
    head = head_for(self, endpoint, call), body = body, timeout = timeout, connect_timeout = self.connect_timeout,
  }
  -- most calls have none of these, and a smaller table is a cheaper one
  if call.into or call.progress or call.max_body then
    request.into, request.progress, request.max_body = call.into, call.progress, call.max_body
  end
  local response, json = self.delivery:call(request, endpoint, timeout)
  if not response then return nil, json end
  if json == nil then json = true end
  return json, response
end

local KNOWN_SEND = { reply_to = "string", data = "string", check_contact = "boolean", timeout = "number" }

--- How one message is sent.
---@class waba.SendOptions
---@field reply_to? string        id of the message to quote (Cloud hosting only)
---@field data? string            comes back in the message's statuses (Cloud hosting only)
---@field check_contact? boolean  when the gateway does not know the number: check it, send to what it found
---@field timeout? number         seconds, instead of the client's

-- An answer of 2xx without an id: accepted, but nobody can tell which message it is.
local function without_id(response)
  return errors.new {
    kind = "protocol", status = response.status, maybe_sent = true,
    message = "the gateway accepted the message but gave no id",
  }
end

local function send_to(self, to, message, given)
  local hosting = self.hosting
  local body, err = hosting.encode_message(to, message, self, given)
  if not body then return nil, err end
  local json, response = self:call(hosting.endpoints.send, { json = body, timeout = given and given.timeout })
  if json == nil then return nil, response end
  local sent = hosting.read_sent(json, to)
  if sent then return sent end
  -- 360dialog's sandbox promises nothing about its answers (reference, section 1.5)
  if self.sandbox then return { input = to } end
  return nil, without_id(response)
end

--- Sends a message: POST /v1/messages.
--- Sending is not idempotent: it is repeated only when it certainly was not accepted. After an error
--- with `maybe_sent` it may have been.
---@param to string|integer       phone number in international form, or a wa_id
---@param message waba.Message    from a builder
---@param given? waba.SendOptions
---@return waba.Sent|nil sent
---@return waba.Error? err  any kind
function Client:send(to, message, given)
  if given then options.check(given, KNOWN_SEND, "client:send") end
  if type(message) ~= "table" then
    error("client:send: the message must be a table from a builder, not a " .. type(message), 2)
  end
  if self.validate then
    local valid, err = check(message, self.hosting.name, self.validate)
    if not valid then return nil, err end
  end
  local digits, err = normalize(to)
  if not digits then return nil, err end
  local sent
  sent, err = send_to(self, digits, message, given)
  if not sent and given and given.check_contact and err.kind == "recipient" and err.code == 1006 then
    local contacts, fault = self.contacts:check({ "+" .. digits }, { wait = true, force = true })
    if not contacts then return nil, fault end
    local wa_id = contacts[1] and contacts[1].wa_id
    if not wa_id then return nil, err end
    return send_to(self, wa_id, message, given)
  end
  return sent, err
end

--- Marks a customer's message as read: PUT /v1/messages/{id}.
---@param message_id string  the `id` of a message event
---@return true|nil
---@return waba.Error? err
function Client:mark_read(message_id)
  if type(message_id) ~= "string" or message_id == "" then
    error("client:mark_read: the message's id is needed, a string", 2)
  end
  local parameters, body = self.hosting.encode_read(message_id)
  local json, err = self:call(self.hosting.endpoints.mark_read, { parameters = parameters, json = body })
  if json == nil then return nil, err end
  return true
end

local IDEMPOTENT = { GET = true, HEAD = true, PUT = true, DELETE = true }
local KNOWN_REQUEST = { method = "string", path = "string", query = "table", body = "any", timeout = "number",
  media_type = "string" }

--- Calls any path of the gateway: the way out for what has no method. Same rules, same errors.
---@param given { method: string?, path: string, query: table?, body: any, media_type: string?, timeout: number? }
---        a body that is a string goes out as it is, anything else as JSON
---@return any json  the decoded answer; its bytes when it is no JSON; true when it is empty
---@return waba.Response|waba.Error response  with `status` and `headers`; or the error
function Client:request(given)
  given = options.check(given, KNOWN_REQUEST, "client:request")
  local path = given.path
  if type(path) ~= "string" or path:sub(1, 1) ~= "/" then
    error('client:request: option path is required and begins with "/"', 2)
  end
  if path:find("[%c%s]") then error("client:request: option path must be percent-encoded", 2) end
  local method = (given.method or "GET"):upper()
  if not method:find("^%u+$") then error("client:request: option method is no HTTP method", 2) end
  if self.hosting.is_closed(path) then
    return nil, errors.new {
      kind = "blocked", path = path,
      message = "360dialog keeps " .. path .. " closed; a support ticket at 360dialog is the way to have it opened",
    }
  end
  local is_bytes = type(given.body) == "string"
  local json, response = self:call({ method = method, path = path, idempotent = IDEMPOTENT[method], raw = true }, {
    query = given.query, json = not is_bytes and given.body or nil, body = is_bytes and given.body or nil,
    media_type = given.media_type or given.body ~= nil and JSON_TYPE or nil, timeout = given.timeout,
  })
  if json == true and response.body ~= "" then json = response.body end
  return json, response
end

--- The number that the key belongs to: GET /v1/configs/phone_number.
---@return string|nil digits  without "+"
---@return waba.Error? err
function Client:phone_number()
  return phone_number.get(self)
end

--- Asks the gateway whether the key belongs to a number.
---@param number? string|integer  the option `expect_number` by default
---@return true|nil
---@return waba.Error? err  kind "auth" when it belongs to another one
function Client:verify(number)
  local expected = self.expected_number
  if number ~= nil then expected = phone_number.expected(number, "client:verify: the number") end
  if not expected then error("client:verify: a number is needed, here or as the option expect_number", 2) end
  return phone_number.verify(self, expected)
end

--- The state of the number's WhatsApp client: GET /v1/health, asked at most every five minutes.
---@return waba.Health|nil
---@return waba.Error? err
function Client:health()
  if self.closed then error("attempt to use a closed client", 2) end
  return require("waba.resource.health").get(self)
end

--- Cancels what is in flight and frees everything. Harmless when repeated. A transport that was
--- given to the client stays open.
function Client:close()
  self.closed = true
  if self.owns_transport then self.transport:close() end
end

Client.__close = Client.close

return client
