-- The parts that the gateways of both hostings have in common: the routes, the API key, requested failures, the
-- journal of requests, and the messages. A gateway object has the data of one business number.

local contacts = require "waba.emulator.contacts"
local inbound = require "waba.emulator.inbound"
local json = require "waba.emulator.json"
local journals = require "waba.emulator.journal"
local refusals = require "waba.emulator.refusals"

local gateway = {}

-- The largest JSON body in bytes.
local MAX_JSON = 1024 * 1024
-- The largest request body and the largest response body, in bytes, that the journal keeps.
local MAX_KEPT, MAX_KEPT_RESPONSE = 64 * 1024, 16 * 1024

--- The name of the header with the API key.
gateway.KEY_HEADER = "d360-api-key"
-- The first segment in the path of a profile picture, for which no API key is needed.
local PICTURES = "pictures"

--- The gateway of one business number, on either hosting.
---@class waba.emulator.GatewayBase : waba.emulator.Gateway
---@field name string       the name of the gateway in the control port
---@field kind "on_premise"|"cloud"
---@field options table     the complete options
---@field record? fun(hosting: string, entry: table)  writes a message to the file of the option `record`
---@field on_change fun(gateway: table, kind: "message"|"request", entry: table)  called with each new or changed entry of the journal
---@field by_id table<string, table>  the messages by their id
local Gateway = {}
Gateway.__index = Gateway

-- Returns a handler that checks the JSON body of a request by a rule, and passes the body to `handler`.
local function with_body(handler, rule)
  return function(self, request)
    local body, refusal = self:json_body(request, rule)
    return not body and refusal or handler(self, request, body)
  end
end

-- Creates a tree from the lists `routes` of several modules. A route has a method, a path, and a handler. In the path,
-- "*" stands for any segment. If a route has a rule as its fourth element, the body is checked by the rule, and the
-- handler gets the decoded body as its third argument.
local function route_tree(sections)
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

--- Creates the class of a hosting's gateways. The fields of `class` are `responses`, `checker`, the code `bad_body` for
--- a body that is not a JSON object, the documented `rates`, and the error texts `wrong_key` and `no_key`. The class
--- must have the methods `closed(request)`, `wrong_method(request)` and `over_rate(request)`, which return a response
--- or nil; `error(code, details, status)`, `post_status(record, status, errors)` and `post_messages(value, key)`.
function gateway.class(name, class, sections)
  class.__index, class.__name, class.tree = class, name, route_tree(sections)
  return setmetatable(class, Gateway)
end

--- Completes the object `self` of a gateway: adds the fields that gateways of both hostings have.
function gateway.new(class, self)
  local options = self.options
  self.failures, self.journal = refusals.failures(self.chance, class.responses.row), journals.ring(options.keep)
  self.by_id = {}
  self.messages = journals.ring(options.keep, function(record) self.by_id[record.id] = nil end)
  self.limits = refusals.rate_limits(options.rate_limits, class.rates, self.clock)
  self.sandbox = refusals.sandbox(options.sandbox)
  if options.webhooks.url then self.webhooks:set(options.webhooks.url, options.webhooks.headers) end
  setmetatable(self, class)
  self.contacts = contacts.new(self)
  return self
end

function Gateway:describe()
  local options = self.options
  return { url = self.url, api_key = options.api_key, number = options.number,
    phone_number_id = options.phone_number_id, waba_id = options.waba_id }
end

-- Requests ----------------------------------------------------------------------------------------

local function is_authorized(self, request) return request.headers[gateway.KEY_HEADER] == self.options.api_key end

--- Returns the largest length of a request's body, and the file in which the body is stored. Without a file, the body
--- is kept in memory.
function Gateway:expects(request)
  return request.method == "POST" and is_authorized(self, request) and self:expects_file(request)
    or { limit = MAX_JSON }
end

-- Decodes the JSON object in the body of a request. Returns the object; or nil, an error message and the HTTP status.
local function decode_body(request)
  if request.too_large then return nil, "the body is too large: at most 1 MiB is allowed", 413 end
  local content_type = request.headers["content-type"] or ""
  if not content_type:lower():find("^%s*application/json") then
    return nil, "Header 'Content-Type' must be application/json"
  end
  local body, message = json.decode(request.body)
  if body == nil then return nil, "the body is not valid JSON: " .. tostring(message) end
  if type(body) ~= "table" or body[1] ~= nil then return nil, "the body must be a JSON object" end
  return json.without_nulls(body)
end

--- Returns the JSON object in a request to WhatsApp's API, checked by `rule`; or nil and the response that refuses the
--- request. If `optional` is true, a missing body counts as an empty object.
function Gateway:json_body(request, rule, optional)
  if optional and request.size == 0 then return {} end
  local body, message, status = decode_body(request)
  if not body then return nil, self:error(self.bad_body, message, status) end
  local found = rule and self.checker:first(body, rule)
  if found then return nil, self:refuse(found) end
  return body
end

--- Returns the JSON object in a request to 360dialog's own API; or nil and the response that refuses the request.
function Gateway:gateway_body(request)
  local body, message, status = decode_body(request)
  if not body then return nil, self.responses.invalid({ message }, status) end
  return body
end

function Gateway:refuse(found) return self:error(found.code, found.details) end

function Gateway:no_such_path() return self.responses.meta(404, "No such resource") end

function Gateway:picture_url() return ("%s/%s/%s"):format(self.url, PICTURES, self.profile.picture.name) end

local function get_picture(self, name)
  local picture = self.profile.picture
  if not picture or picture.name ~= name then return self.responses.meta(404, "No such picture") end
  return { status = 200, body = picture.bytes, file = picture.file, headers = { ["content-type"] = picture.type } }
end

-- Returns the handlers of a path by HTTP method, or nil.
local function find_route(tree, segments)
  local node = tree
  for _, segment in ipairs(segments) do
    node = node.children[segment] or node.children["*"]
    if not node then return nil end
  end
  return node.methods
end

--- Returns the response to a request, regardless of the commands of `fail_next`.
function Gateway:respond(request)
  if request.method == "GET" and request.segments[1] == PICTURES then return get_picture(self, request.segments[2]) end
  if not is_authorized(self, request) then
    return self.responses.meta(401, request.headers[gateway.KEY_HEADER] and self.wrong_key or self.no_key)
  elseif self.down_until and self.clock:now() < self.down_until then
    return self.responses.meta(502, "WhatsApp for Business API is not available")
  end
  local refusal = self:closed(request)
  if refusal then return refusal end
  local methods = find_route(self.tree, request.segments)
  if not methods then return self:no_such_path() end
  local handler = methods[request.method]
  if not handler then return self:wrong_method(request) end
  return self:over_rate(request) or handler(self, request)
end

gateway.respond = Gateway.respond

-- Returns the response to a request. `command` is the command of `fail_next` that applies to the request.
local function commanded_response(self, request, command)
  local instead = self.responses.commanded(command, self.failures:rows(command), self.options.client_version)
  local takes_effect = command.drop ~= "before" and (command.drop or command.accept or not instead)
  local usual = takes_effect and self:respond(request)
  local response = command.drop and { status = usual and usual.status or 0, drop = true } or instead or usual
  response.delay = command.delay
  return response
end

function Gateway:handle(request)
  request.at = self.clock:now()
  local command = self.failures:take_request(request)
  local response = command and commanded_response(self, request, command) or self:respond(request)
  if request.file and not self.media:get(request.file:match("[^/]+$")) then os.remove(request.file) end
  return response
end

--- Adds a request to the journal, without its API key. `written` is true if the response was sent.
function Gateway:finished(request, response, written)
  if self.log then self.log:request(self.kind, request, response) end
  local headers, body = {}, request.body
  for name, value in pairs(request.headers) do headers[name] = name == gateway.KEY_HEADER and "(hidden)" or value end
  self:on_change("request", self.journal:add({
    method = request.method, path = request.path, query = request.query, headers = headers,
    body = body and #body <= MAX_KEPT and body or nil, size = request.size, sha256 = request.sha256,
    protocol = request.protocol, at = request.at, status = response.status, answered = written,
    response = response.body and #response.body <= MAX_KEPT_RESPONSE and response.body or nil,
  }))
end

-- Messages ----------------------------------------------------------------------------------------

Gateway.customer_sends = inbound.customer_sends

--- Stores a message that the gateway has accepted or a customer has sent.
function Gateway:keep(record)
  record.at = self.clock:now()
  self.messages:add(record)
  self.by_id[record.id] = record
  if self.record and record.direction == "outbound" then self.record(self.kind, record) end
  self:on_change("message", record)
  return record
end

--- Marks a customer's message as read. Returns false if the message does not exist, or if it is older than `longest`
--- seconds. If `typing` is true, the customer sees the typing indicator.
function Gateway:mark_read(id, longest, typing)
  local record = self.by_id[id]
  if not record or record.direction ~= "inbound" or self.clock:now() - record.at > longest then return false end
  record.read, record.typing = true, typing or nil
  self:on_change("message", record)
  return true
end

--- Returns the record of a sent message; or nil and an error message.
function Gateway:find_sent(id)
  local record = self.by_id[id]
  if record and record.direction == "outbound" then return record end
  return nil, "id: expected the id of a message that the gateway has accepted, not " .. tostring(id)
end

--- Reports a status of an accepted message at once.
function Gateway:report(record, status, errors)
  record.status = status
  record.statuses[#record.statuses + 1] = status
  if errors then record.errors = errors end
  self:on_change("message", record)
  self:post_status(record, status, errors)
end

--- Schedules the statuses of an accepted message in their order, or its failure. `failure.errors` has the errors,
--- `failure.after` the last status before the failure (by default none), and `failure.status` is "failed" or "warning".
function Gateway:schedule_statuses(record, order, failure)
  local delays = self.options.statuses or {}
  local function fail() self:report(record, failure.status or "failed", failure.errors) end
  local fatal = failure and failure.status ~= "warning"
  if failure and not failure.after then
    self.clock:after(delays.sent or 0, fail)
    if fatal then return end
  end
  for _, status in ipairs(order) do
    if delays[status] then self.clock:after(delays[status], function() self:report(record, status) end) end
    if failure and failure.after == status then
      self.clock:after(delays[status] or 0, fail)
      if fatal then return end
    end
  end
end

return gateway
