-- The On-Premise gateway: one number with everything that belongs to it. Checks the key, finds the
-- route, keeps the journal, and answers as the platform does (reference, sections 1 to 13).

local answers = require "waba.emulator.on_premise.answers"
local contacts = require "waba.emulator.on_premise.contacts"
local faults = require "waba.emulator.faults"
local health = require "waba.emulator.on_premise.health"
local inbound = require "waba.emulator.on_premise.inbound"
local json = require "waba.emulator.json"
local media = require "waba.emulator.on_premise.media"
local messages = require "waba.emulator.on_premise.messages"
local profile = require "waba.emulator.on_premise.profile"
local rate_limit = require "waba.emulator.rate_limit"
local ring = require "waba.emulator.ring"
local statuses = require "waba.emulator.on_premise.statuses"
local templates = require "waba.emulator.on_premise.templates"
local walker = require "waba.emulator.on_premise.walker"
local webhook_address = require "waba.emulator.on_premise.webhook_address"

local on_premise = {}

-- Bytes of the largest JSON body.
local MAX_JSON = 1024 * 1024
-- Bytes of a body that the journal keeps.
local MAX_KEPT = 64 * 1024

local KEY_HEADER = "d360-api-key"

---@class waba.emulator.OnPremise : waba.emulator.Gateway
local Gateway = {}
Gateway.__index = Gateway
Gateway.__name = "waba.emulator.OnPremise"

-- ---- Routes ----------------------------------------------------------------------------------------

local tree = { children = {} }

local function route(method, path, handler)
  local node = tree
  for segment in path:gmatch("[^/]+") do
    node.children[segment] = node.children[segment] or { children = {} }
    node = node.children[segment]
  end
  node.methods = node.methods or {}
  node.methods[method] = handler
end

for _, section in ipairs({ contacts, health, media, messages, profile, templates, webhook_address }) do
  section.routes(route)
end

local function find_route(segments)
  local node = tree
  for _, segment in ipairs(segments) do
    node = node.children[segment] or node.children["*"]
    if not node then
      return nil
    end
  end
  return node.methods
end

-- What 360dialog keeps closed (section 8.1 and 10), by the beginning of the path.
local CLOSED = { "/v1/certificates", "/v1/account", "/v1/stats", "/metrics", "/v1/support", "/v1/users",
  "/v1/settings", "/v1/services" }
local OPEN = { "/v1/settings/profile", "/v1/settings/business/profile" }

local function below(path, prefixes)
  for _, prefix in ipairs(prefixes) do
    if path == prefix or path:sub(1, #prefix + 1) == prefix .. "/" then
      return true
    end
  end
  return false
end

-- ---- What the sections use -------------------------------------------------------------------------

--- Whether the imitated client is of this version or a later one.
---@param major integer
---@param minor integer
---@param patch? integer
---@return boolean
function Gateway:version_at_least(major, minor, patch)
  local have = self.version_numbers
  for i, wanted in ipairs({ major, minor, patch or 0 }) do
    if have[i] ~= wanted then
      return have[i] > wanted
    end
  end
  return true
end

--- An answer of the WhatsApp client: the body with its `meta`.
---@param body table
---@param status? integer  200 by default
---@return waba.emulator.Answer
function Gateway:ok(body, status)
  body.meta = { api_status = "stable", version = self.options.client_version }
  return answers.json(status or 200, body)
end

--- An answer without `meta`.
---@param body table
---@return waba.emulator.Answer
function Gateway:bare(body)
  return answers.json(200, body)
end

--- An error of the WhatsApp client.
---@param code integer
---@param details? string
---@param status? integer
---@return waba.emulator.Answer
function Gateway:error(code, details, status)
  return answers.error(code, details, self.options.client_version, status)
end

local function decode_body(request)
  if request.too_large then
    return nil, "the body is larger than 1 MiB", 413
  end
  local content_type = request.headers["content-type"] or ""
  if not content_type:lower():find("^%s*application/json") then
    return nil, "Header 'Content-Type' must be application/json"
  end
  local body, message = json.decode(request.body)
  if body == nil then
    return nil, "the body is not valid JSON: " .. tostring(message)
  elseif type(body) ~= "table" or body[1] ~= nil then
    return nil, "the body must be a JSON object"
  end
  return body
end

--- The JSON object of a request to the WhatsApp client, checked against a rule.
---@param request waba.emulator.Request
---@param rule? table         see rules.lua
---@param optional? boolean   no body is as good as an empty object
---@return table|nil body
---@return waba.emulator.Answer? refusal
function Gateway:json_body(request, rule, optional)
  if optional and request.size == 0 then
    return {}
  end
  local body, problem, status = decode_body(request)
  if not body then
    return nil, self:error(1025, problem, status)
  end
  local found = rule and walker.walk(body, rule, "", {})
  if found then
    return nil, self:error(found.code, found.details)
  end
  return body
end

--- The JSON object of a request to 360dialog's own resources.
---@param request waba.emulator.Request
---@return table|nil body
---@return waba.emulator.Answer? refusal
function Gateway:gateway_body(request)
  local body, problem, status = decode_body(request)
  if not body then
    return nil, answers.meta(status or 400, "Validation error", { problem })
  end
  return body
end

-- ---- Requests --------------------------------------------------------------------------------------

local function authorized(self, request)
  return request.headers[KEY_HEADER] == self.options.api_key
end

--- Where the body of a request goes, and how long it may be.
---@param request waba.emulator.Request
---@return { limit: integer, file: string? }
function Gateway:expects(request)
  if request.method == "POST" and authorized(self, request) then
    if request.path == "/v1/media" then
      return { limit = self.options.max_media, file = self.media:new_file() }
    elseif request.path == "/v1/settings/profile/photo" then
      return { limit = profile.MAX_PHOTO }
    end
  end
  return { limit = MAX_JSON }
end

local function sandbox_closed(self, path)
  return self.sandbox and not (below(path, { "/v1/messages" }) or path == "/v1/configs/webhook")
end

-- The gateway's answer, faults aside.
local function respond(self, request)
  if request.segments[1] == profile.PICTURES and request.method == "GET" then
    return profile.picture(self, request.segments[2])
  elseif not authorized(self, request) then
    return answers.meta(401, request.headers[KEY_HEADER] and "Invalid api_key" or "api_key is missing")
  elseif self.down_until and self.clock:now() < self.down_until then
    return answers.meta(502, "WhatsApp for Business API is not available")
  elseif below(request.path, CLOSED) and not below(request.path, OPEN) then
    return answers.meta(403, "This URL is blocked, see https://docs.360dialog.com")
  elseif sandbox_closed(self, request.path) then
    return answers.meta(403, "The sandbox has messages and the webhook address only")
  end
  local methods = find_route(request.segments)
  if not methods then
    return answers.meta(404, "No such resource")
  elseif not self.limits:take(request) then
    return self:error(1015, "the limit of requests per second is exceeded")
  end
  local handler = methods[request.method]
  if not handler then
    return self:error(1025, ("method %s is not allowed for %s"):format(request.method, request.path))
  end
  return handler(self, request)
end

local function without_key(headers)
  local shown = {}
  for name, value in pairs(headers) do
    shown[name] = name == KEY_HEADER and "(hidden)" or value
  end
  return shown
end

--- Answers a request.
---@param request waba.emulator.Request
---@return waba.emulator.Answer
function Gateway:handle(request)
  request.at = self.clock:now()
  local order = self.faults:take_request(request)
  local answer
  if not order then
    answer = respond(self, request)
  else
    local instead = answers.ordered(order, self.faults:rows(order), self.options.client_version)
    if order.drop == "before" then
      answer = { status = 0, drop = true }
    elseif order.drop == "after" or order.accept or not instead then
      answer = respond(self, request)
      answer = order.drop and { status = answer.status, drop = true } or instead or answer
    else
      answer = instead
    end
    answer.delay = order.delay
  end
  if request.file and not self.media:get(request.file:match("[^/]+$")) then
    os.remove(request.file)
  end
  return answer
end

--- Writes a request that is over into the journal.
---@param request waba.emulator.Request
---@param answer waba.emulator.Answer
---@param written boolean  whether the answer went out
function Gateway:answered(request, answer, written)
  local kept = request.body and #request.body <= MAX_KEPT and request.body or nil
  self.journal:add({
    method = request.method, path = request.path, query = request.query, headers = without_key(request.headers),
    body = kept, size = request.size, sha256 = request.sha256, protocol = request.protocol,
    at = request.at, status = answer.status, answered = written,
  })
end

-- ---- What the program makes happen (control.lua) ---------------------------------------------------

--- Lets a customer send a message.
---@param from string
---@param kind string
---@param content any
---@param options table
---@return string|nil id
---@return string? message
function Gateway:customer_sends(from, kind, content, options)
  return inbound.message(self, from, kind, content, options)
end

--- Lets a customer tap a button or row of a message it received.
---@param from string
---@param id string
---@param choice string
---@param options table
---@return string|nil id
---@return string? message
function Gateway:customer_taps(from, id, choice, options)
  return inbound.tap(self, from, id, choice, options)
end

--- Lets a customer delete a message it had sent.
---@param from string
---@param id string
---@return true
function Gateway:customer_deletes(from, id)
  inbound.delete(self, from, id)
  return true
end

--- Reports a status of a sent message.
---@param id string
---@param status string
---@param rows table[]|nil  errors
---@return true|nil
---@return string? message
function Gateway:report_status(id, status, rows)
  local record = self.by_id[id]
  if not record or record.direction ~= "outbound" then
    return nil, "there is no sent message " .. tostring(id)
  elseif rows then
    statuses.fail(self, record, rows, status)
  else
    statuses.report(self, record, status)
  end
  return true
end

--- Sets what GET /v1/health answers.
---@param settings table  see emulator:health
---@return true|nil
---@return string? message
function Gateway:set_health(settings)
  settings.shape = settings.shape or "single"
  if not health.shapes[settings.shape] then
    return nil, "shape must be \"single\", \"high_availability\" or \"multiconnect\""
  end
  self.health = settings
  return true
end

-- ---- Making one ------------------------------------------------------------------------------------

local function version_numbers(text)
  local major, minor, patch = text:match("^v?(%d+)%.(%d+)%.?(%d*)")
  return { tonumber(major) or 2, tonumber(minor) or 53, tonumber(patch) or 0 }
end

--- Makes a gateway.
---@param context { options: table, clock: waba.emulator.Clock, webhooks: waba.emulator.Webhooks, folder: string, chance: fun(): number }
---@return waba.emulator.OnPremise
function on_premise.new(context)
  local options = context.options
  local self = setmetatable({
    options = options, clock = context.clock, webhooks = context.webhooks, folder = context.folder,
    version_numbers = version_numbers(options.client_version),
    faults = faults.new(context.chance, answers.row), limits = rate_limit.new(options.rate_limits, context.clock),
    journal = ring.new(options.keep), by_id = {}, conversations = {},
    health = health.new(), profile = profile.new(),
  }, Gateway)
  self.messages = ring.new(options.keep, function(record) self.by_id[record.id] = nil end)
  self.contacts = contacts.new(self)
  self.media = media.new(self)
  self.find_media = media.finder(self)
  self.templates = templates.new(self)
  if options.sandbox then
    local number = type(options.sandbox) == "string" and contacts.digits(options.sandbox) or nil
    self.sandbox = { number = number, text = 0, template = 0 }
  end
  if options.webhooks.url then
    self.webhooks:set(options.webhooks.url, options.webhooks.headers)
  end
  return self
end

return on_premise
