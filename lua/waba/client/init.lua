-- The client of one phone number. Sends messages and calls the gateway; `client.media`, `client.templates` and other
-- fields have the methods of lua/waba/resource.

local core = require "waba.core"
local coroutines = require "waba.coroutines"
local option = require "waba.option"
local delivery = require "waba.delivery"
local runtime = require "waba.runtime"
local schema = require "waba.schema"
local call_endpoint = require "waba.client.call"
local client_options = require "waba.client.options"
local hostings = require "waba.hosting"
local recipient = require "waba.recipient"
local sending = require "waba.client.sending"
local transports = require "waba.transport"

local plain, read_recipient, send = core.plain, recipient.read, sending.send
local type = type

---@class waba.Client
---@field block_list waba.BlockListResource
---@field calling_settings waba.CallingSettingsResource
---@field commerce_settings waba.CommerceSettingsResource
---@field contacts waba.ContactsResource
---@field conversational_automation waba.AutomationResource
---@field media waba.MediaResource
---@field profile waba.ProfileResource
---@field qr_codes waba.QrCodesResource
---@field templates waba.TemplatesResource
---@field webhook waba.WebhookResource
local Client = {}
Client.__name = "waba.Client"

local client = {}

local CLOSED = "attempt to use a closed client: make another one with waba.client"

-- Groups of methods, with the names of their classes. `client.media` loads lua/waba/resource/media at its first use.
local RESOURCES = {
  block_list = "BlockList", calling_settings = "CallingSettings", commerce_settings = "CommerceSettings",
  contacts = "Contacts", conversational_automation = "Automation", media = "Media", profile = "Profile",
  qr_codes = "QrCodes", templates = "Templates", webhook = "Webhook",
}

-- PUC Lua 5.1 counts a tail call as a level, so the error of a guarded method would have the position of the guard.
local CAN_GUARD = not coroutines.IS_PUC_51

local guarded = {} -- a set of classes

local function guard_method(method, what, field)
  return function(self, ...)
    if type(self) ~= "table" or self[field] == nil then error(what .. " must be called with a colon, not a dot", 2) end
    return method(self, ...)
  end
end

-- Makes the methods of a class raise an error if they are called with a dot, as in `client.templates.list()`. A method
-- checks that its first argument has `field`, which every object of the class has. `client:send` has a faster check of
-- its own.
local function guard(class, what, field)
  if not CAN_GUARD or guarded[class] then return end
  guarded[class] = true
  for name, method in pairs(class) do
    if type(method) == "function" and not name:find "^__" and name ~= "send" then
      class[name] = guard_method(method, what .. ":" .. name, field)
    end
  end
end

function Client:__index(name)
  local method = Client[name]
  if method ~= nil then return method end
  if not RESOURCES[name] then return nil end
  local class = runtime.require("waba.resource." .. name)
  class.__index, class.__name = class, ("waba.%sResource"):format(RESOURCES[name])
  guard(class, "client." .. name, "client")
  local resource = setmetatable({ client = self }, class)
  if class.__init then resource:__init() end
  self[name] = resource
  return resource
end

function Client:__tostring()
  return "waba.Client: " .. self.base_url .. (self.closed and " (closed)" or "")
end

-- Makes the header with the API key. The header is sent only to the origin of the gateway's URL.
local function credentials_for(transport, base_url, api_key)
  local origin, message = core.origin(base_url)
  if not origin then error("waba.client: option base_url: " .. message, 3) end
  local secret = { header = "D360-API-KEY", value = api_key, origin = origin }
  local credentials
  if transport.credentials then
    credentials, message = transport:credentials(secret)
  else
    credentials, message = core.credentials(secret)
  end
  if not credentials then error("waba.client: option api_key: " .. message, 3) end
  return credentials
end

--- Makes a client for one phone number at 360dialog. Each phone number has its own API key.
---@param options? waba.ClientOptions  environment variables set the defaults of some options: D360_API_KEY,
---        WABA_HOSTING, WABA_BASE_URL, WABA_CA_FILE
---@return waba.Client
function client.new(options)
  options = client_options.complete(options)
  local hosting = hostings.get(options.hosting)
  local base_url = options.base_url or options.sandbox and hosting.sandbox_url or hosting.base_url
  base_url = base_url:gsub("/+$", "")
  -- a client has at most 16 fields: Lua doubles the memory of a table for the 17th field
  local self = {
    hosting = hosting, base_url = base_url, sandbox = options.sandbox,
    -- nil: environment variables select the proxy. The URL of the proxy is not stored, because it can have a password.
    has_proxy = options.proxy and options.proxy ~= "",
    timeout = options.timeout, connect_timeout = options.connect_timeout,
    validate = options.validate, namespace = options.namespace,
    checks = options.validate and schema.checks(hosting.name, options.validate),
    expected_number = options.expect_number ~= nil and runtime.require("waba.resource.phone_number").expected(
      options.expect_number, "waba.client: option expect_number"),
    ordered = options.ordered,
    heads = {}, -- the request heads by endpoint (client/call.lua)
    closed = false,
    pooled = false, -- the pool's record of this client (client/pool.lua), or false
  }
  local ok, transport, is_shared = pcall(transports.of, options)
  if not ok then error(transport, 2) end
  self.transport, self.has_shared_transport = transport, is_shared
  self.credentials = credentials_for(transport, base_url, options.api_key)
  self.delivery = delivery.new {
    transport = transport, hosting = hosting, on_event = options.on_event,
    retry = options.retry, pace = client_options.pace(options.pace, hosting),
    identity = core.hmac_sha256(options.api_key, base_url),
  }
  if is_shared then transports.retain(transport) end
  runtime.preload()
  require "waba.message"
  guard(Client, "client", "delivery")
  return setmetatable(self, Client)
end

--- Replaces the API key of a client, for example after the key was changed in the 360dialog Hub.
function client.set_key(self, api_key)
  self.credentials, self.heads = credentials_for(self.transport, self.base_url, api_key), {}
end

--- Calls an endpoint by its name in hosting/cloud/endpoints.lua or hosting/on_premise/endpoints.lua.
---@param name string
---@param call? waba.Call
---@return any json  the decoded response; true for an empty response; nil after an error
---@return waba.Response|waba.Error response  an error has the kind "invalid" if the hosting does not have the endpoint
function Client:call(name, call)
  if self.closed then runtime.require("waba.caller").error(CLOSED) end
  local endpoint, err = hostings.endpoint(self.hosting, name)
  if not endpoint then return nil, err end
  return call_endpoint(self, endpoint, call or {})
end

--- Sends a message: POST /v1/messages (Cloud: POST /messages). Retries only if the gateway certainly did not accept
--- the message. An error with `maybe_sent` means that the gateway may have accepted the message.
---@param to string|integer|{ user_id: string }|{ group_id: string }  a phone number in international form, or a wa_id;
---                               on Cloud hosting also a business-scoped user id ("DE.1349…"), or a group
---@param message waba.Message    the result of a builder such as `waba.text`
---@param options? waba.SendOptions
---@return waba.Sent|nil sent
---@return waba.Error? err
function Client:send(to, message, options)
  if self.closed then error(CLOSED, 2) end
  if options then sending.check(options) end
  if type(message) ~= "table" then
    if type(self) ~= "table" then error("client:send must be called with a colon, not a dot", 2) end
    error(("client:send: the message must be a table from a builder, not a %s: such as waba.text(…)"):format(
      type(message)), 2)
  end
  if options and options.window then return runtime.require "waba.client.window_option"(self, to, message, options) end
  local is_copy
  message, is_copy = plain(message)
  if options then message = sending.with_options(message, options) end
  local checks = self.checks
  local err = checks and checks[message.type](message)
  if err then return nil, schema.to_error(err, is_copy) end
  local address, form = read_recipient(to)
  if not address then return nil, form end
  return send(self, address, message, options, form)
end

--- Sends many messages, several at a time, in the caller's event loop or in an event loop of its own. Reads from the
--- source only messages that can be sent soon, so the source can return millions of messages. With a journal, a
--- repeated call with the same source continues after a crash or a stop, and sends no message twice. For a message with
--- an uncertain result, the option `on_result` gets an error with `maybe_sent`.
---@param source fun(): any, waba.Message, string|integer|nil  returns the next recipient, the message and
---        optionally a key; nil at the end. The default key is the message's position. With a journal, all keys must
---        differ, and each key needs about 100 bytes of memory. If the source raises an error, `send_all` first sends
---        the messages that the source has returned, and then raises this error. The source and all functions in the
---        options may wait, except under PUC Lua 5.1
---@param options? waba.BulkOptions
---@return waba.BulkSummary|nil
---@return waba.Error? err  the journal can't be written or belongs to another call, or the gateway failed for longer
---        than `patience`. `err.summary` counts the results before the error
function Client:send_all(source, options)
  if self.closed then error(CLOSED, 2) end
  if type(options) == "table" and options.send ~= nil then
    sending.check(options.send, "client:send_all: option send")
  end
  -- not a tail call, which would change the levels of errors
  local summary, err = require("waba.bulk").send_all(self, source, options)
  return summary, err
end

--- Estimates how long `send_all` takes at the client's rate limits.
---@param count integer  the number of messages
---@param options? waba.EstimateOptions
---@return number seconds
function Client:estimate(count, options)
  local seconds = require("waba.bulk").estimate(self, count, options)
  return seconds
end

--- The options of `client:mark_read`.
---@options waba.ReadOptions
local READ_OPTIONS = {
  typing = "boolean", -- true: shows the customer a typing indicator for up to 25 seconds (Cloud hosting only)
}

--- Marks a customer's message as read: PUT /v1/messages/{id} (Cloud: POST /messages). Cloud hosting also marks all
--- earlier messages of the customer.
---@param message_id string  the `id` of a message event
---@param options? waba.ReadOptions
---@return true|nil
---@return waba.Error? err
function Client:mark_read(message_id, options)
  if type(message_id) ~= "string" or message_id == "" then
    error("client:mark_read: the id of the message must be a string that is not empty", 2)
  end
  if options then option.check(options, READ_OPTIONS, "client:mark_read") end
  local body, parameters = self.hosting.encode_read(message_id, options)
  if not body then return nil, parameters end
  local json, err = self:call("mark_read", { parameters = parameters, json = body })
  if json == nil then return nil, err end
  return true
end

--- Sends a request to a path of the gateway for which the client has no method. Rate limits, retries and errors are the
--- same as for other methods.
---@param options waba.RequestOptions
---@return any json  the decoded response; the bytes of a response that is not JSON; true for an empty response
---@return waba.Response|waba.Error response  has `status` and `headers`
function Client:request(options)
  if self.closed then error(CLOSED, 2) end
  -- not a tail call, which would change the levels of errors
  local json, response = runtime.require("waba.client.request")(self, options)
  return json, response
end

--- Returns the phone number of the API key: GET /v1/configs/phone_number (Cloud: GET /health_status).
---@return string|nil digits  without "+"
---@return waba.Error? err
function Client:phone_number() return runtime.require("waba.resource.phone_number").get(self) end

--- Checks whether the API key belongs to a phone number.
---@param number? string|integer  the phone number; default: the option `expect_number`
---@return true|nil
---@return waba.Error? err  kind "auth" if the key belongs to another phone number, "invalid" if `number` is not a phone
---        number
function Client:verify(number)
  local expected = self.expected_number
  if number ~= nil then
    local err
    expected, err = recipient.normalize(number, "number")
    if not expected then return nil, err end
  end
  if not expected then error("client:verify: expected a number, as argument or as the option expect_number", 2) end
  return runtime.require("waba.resource.phone_number").verify(self, expected)
end

--- Returns the state of the phone number's WhatsApp client (GET /v1/health) or, on Cloud hosting, of the phone number
--- (GET /health_status). Sends at most one request in five minutes.
---@return waba.Health|nil
---@return waba.Error? err
function Client:health()
  if self.closed then error(CLOSED, 2) end
  return runtime.require("waba.resource.health").get(self)
end

--- Cancels the client's requests in flight. A second call of `close` has no effect. Clients with the same transport
--- options share connections, which stay open until the last of these clients is closed. A transport in the option
--- `transport` stays open.
function Client:close()
  if self.closed then return end
  self.closed = true
  self.delivery:close()
  local ordering = rawget(self, "ordering")
  if ordering then ordering:close() end
  if self.has_shared_transport then transports.release(self.transport, self) end
end

Client.__close = Client.close

return client
