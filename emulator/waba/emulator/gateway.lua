-- The parts that both hostings share: the tree of routes, the key, requested failures, the journal of requests, and the
-- messages. One gateway object holds the state of one number.

local failures = require "waba.emulator.failures"
local json = require "waba.emulator.json"
local journals = require "waba.emulator.journal"
local inbound = require "waba.emulator.inbound"
local messages = require "waba.emulator.messages"

local gateway = {}

--- Bytes of the largest JSON body.
gateway.MAX_JSON = 1024 * 1024
-- Bytes of a request's and of a response's body that the journal keeps.
local MAX_KEPT, MAX_KEPT_RESPONSE = 64 * 1024, 16 * 1024

--- The header with the API key.
gateway.KEY_HEADER = "d360-api-key"

--- The objects that a gateway uses.
---@class waba.emulator.Context
---@field options table   complete; its own copy
---@field clock waba.emulator.Clock
---@field webhooks waba.emulator.Webhooks
---@field folder string   for files
---@field chance fun(): number
---@field record waba.emulator.Record|nil
---@field log waba.emulator.Log|nil
---@field kind "on_premise"|"cloud"
---@field on_change fun(gateway: table, kind: "message"|"request", entry: table)  called with each new or changed entry

--- The gateway of one number, on either hosting.
---@class waba.emulator.GatewayBase : waba.emulator.Gateway
---@field url string
---@field options table
---@field clock waba.emulator.Clock
---@field webhooks waba.emulator.Webhooks
---@field folder string
---@field failures table
---@field journal waba.emulator.Ring
---@field messages waba.emulator.Ring
---@field by_id table<string, table>
local Gateway = {}
Gateway.__index = Gateway

--- A class of gateways. It needs the fields `checker`, `responses` and `BAD_BODY` (the name of a code), and the methods
--- `respond(request)`, `error(code, details, status)`, `post_status(record, status, errors)` and
--- `customer_sends(from, kind, content, options)`.
---@param name string
---@return table
function gateway.class(name)
  local class = setmetatable({}, Gateway)
  class.__index = class
  class.__name = name
  return class
end

--- Makes the common part of a gateway.
---@param class table
---@param context waba.emulator.Context
---@return table
function gateway.new(class, context)
  local options = context.options
  local self = setmetatable({
    options = options, clock = context.clock, webhooks = context.webhooks, folder = context.folder,
    record = context.record, log = context.log, kind = context.kind, on_change = context.on_change,
    failures = failures.new(context.chance, class.responses.row), journal = journals.ring(options.keep), by_id = {},
  }, class)
  self.messages = journals.ring(options.keep, function(record) self.by_id[record.id] = nil end)
  if options.webhooks.url then self.webhooks:set(options.webhooks.url, options.webhooks.headers) end
  return self
end

-- Routes ------------------------------------------------------------------------------------------

-- Makes a handler that gets the JSON body of the request, checked against a rule.
local function with_body(handler, rule)
  return function(self, request)
    local body, refusal = self:json_body(request, rule)
    if not body then return refusal end
    return handler(self, request, body)
  end
end

--- Makes a tree of the routes of some sections. A route is a method, a path in which "*" is any segment, a handler, and
--- for a handler that gets the body, its rule.
---@param sections { routes: { [1]: string, [2]: string, [3]: function, [4]: waba.emulator.Rule|nil }[] }[]
---@return table tree
function gateway.routes(sections)
  local tree = { children = {} }
  for _, section in ipairs(sections) do
    for _, route in ipairs(section.routes) do
      local node, rule = tree, route[4]
      for segment in route[2]:gmatch("[^/]+") do
        node.children[segment] = node.children[segment] or { children = {} }
        node = node.children[segment]
      end
      node.methods = node.methods or {}
      node.methods[route[1]] = rule and with_body(route[3], rule) or route[3]
    end
  end
  return tree
end

--- The handlers of a path by their methods.
---@param tree table
---@param segments string[]
---@return table<string, function>|nil
function gateway.find_route(tree, segments)
  local node = tree
  for _, segment in ipairs(segments) do
    node = node.children[segment] or node.children["*"]
    if not node then return nil end
  end
  return node.methods
end

--- Returns what a program needs to use the gateway.
---@return { url: string, api_key: string, number: string }
function Gateway:describe()
  return { url = self.url, api_key = self.options.api_key, number = self.options.number }
end

-- Requests ----------------------------------------------------------------------------------------

--- Whether a request has the key. The second value is true if the request has another key.
---@param request waba.emulator.Request
---@return boolean authorized
---@return boolean? wrong
function Gateway:authorized(request)
  local key = request.headers[gateway.KEY_HEADER]
  return key == self.options.api_key, key ~= nil
end

--- Whether the client behind the gateway is being restarted.
---@return boolean
function Gateway:down() return self.down_until ~= nil and self.clock:now() < self.down_until end

-- Decodes the JSON object of a request. Returns it; or nil, an error message and the HTTP status.
local function decode_body(request)
  if request.too_large then return nil, "the body is larger than 1 MiB", 413 end
  local content_type = request.headers["content-type"] or ""
  if not content_type:lower():find("^%s*application/json") then
    return nil, "Header 'Content-Type' must be application/json"
  end
  local body, message = json.decode(request.body)
  if body == nil then return nil, "the body is not valid JSON: " .. tostring(message) end
  if type(body) ~= "table" or body[1] ~= nil then return nil, "the body must be a JSON object" end
  return body
end

--- The JSON object of a request to WhatsApp's API, checked against a rule.
---@param request waba.emulator.Request
---@param rule? waba.emulator.Rule
---@param optional? boolean   no body is like an empty object
---@return table|nil body
---@return waba.emulator.Response? refusal
function Gateway:json_body(request, rule, optional)
  if optional and request.size == 0 then return {} end
  local body, reason, status = decode_body(request)
  if not body then return nil, self:error(self.BAD_BODY, reason, status) end
  local found = rule and self.checker:first(body, rule)
  if found then return nil, self:refuse(found) end
  return body
end

--- Returns the JSON object of a request to 360dialog's own resources.
---@param request waba.emulator.Request
---@return table|nil body
---@return waba.emulator.Response? refusal
function Gateway:gateway_body(request)
  local body, reason, status = decode_body(request)
  if not body then return nil, self.responses.invalid({ reason }, status) end
  return body
end

--- Returns the response to an error that a rule has found.
---@param found waba.emulator.RuleError
---@return waba.emulator.Response
function Gateway:refuse(found) return self:error(found.code, found.details) end

-- Returns the response to a request that a command `fail_next` selects.
local function commanded_response(self, request, command)
  local instead = self.responses.commanded(command, self.failures:rows(command), self.options.client_version)
  local response
  if command.drop == "before" then
    response = { status = 0, drop = true }
  elseif command.drop == "after" or command.accept or not instead then
    response = self:respond(request)
    response = command.drop and { status = response.status, drop = true } or instead or response
  else
    response = instead
  end
  response.delay = command.delay
  return response
end

--- Responds to a request.
---@param request waba.emulator.Request
---@return waba.emulator.Response
function Gateway:handle(request)
  request.at = self.clock:now()
  local command = self.failures:take_request(request)
  local response = command and commanded_response(self, request, command) or self:respond(request)
  if request.file and not self.media:get(request.file:match("[^/]+$")) then os.remove(request.file) end
  return response
end

local function without_key(headers)
  local shown = {}
  for name, value in pairs(headers) do shown[name] = name == gateway.KEY_HEADER and "(hidden)" or value end
  return shown
end

--- Adds a request to the journal.
---@param request waba.emulator.Request
---@param response waba.emulator.Response
---@param written boolean  whether the response was sent
function Gateway:finished(request, response, written)
  if self.log then self.log:request(self.kind, request, response) end
  local kept = request.body and #request.body <= MAX_KEPT and request.body or nil
  local entry = self.journal:add({
    method = request.method, path = request.path, query = request.query, headers = without_key(request.headers),
    body = kept, size = request.size, sha256 = request.sha256, protocol = request.protocol,
    at = request.at, status = response.status, answered = written,
    response = response.body and #response.body <= MAX_KEPT_RESPONSE and response.body or nil,
  })
  self:on_change("request", entry)
end

-- Messages ----------------------------------------------------------------------------------------

--- Keeps a message that was accepted, or came from a customer.
---@param record table
---@return table record
function Gateway:keep(record)
  record.at = self.clock:now()
  self.messages:add(record)
  self.by_id[record.id] = record
  if self.record and record.direction == "outbound" then self.record:add(self.kind, record) end
  self:on_change("message", record)
  return record
end

--- Lets a customer tap a button or a list's row of a received message.
---@param from string
---@param id string       of the message
---@param choice string   the id, title, text or payload of what is tapped
---@param options table
---@return string|nil id  the customer's message
---@return string? message
function Gateway:customer_taps(from, id, choice, options)
  local kind, content = messages.find_tapped(self, id, choice)
  if not kind then return nil, content end
  options.reply_to = id
  return self:customer_sends(from, kind, content, options)
end

Gateway.customer_sends = inbound.customer_sends

--- Reports a status of a sent message.
---@param id string
---@param status string
---@param rows table[]|nil  errors
---@return true|nil
---@return string? message
function Gateway:report_status(id, status, rows)
  local record = self.by_id[id]
  if not record or record.direction ~= "outbound" then
    return nil, "id: there is no sent message " .. tostring(id)
  end
  messages.report(self, record, status, rows)
  return true
end

return gateway
