-- The business numbers of a process. Each business number has a gateway for each hosting, with its own key, webhook
-- URL, contacts, templates, media, profile and limits. The gateways of a hosting share a port: the API key selects the
-- gateway.

local gateways = require "waba.emulator.gateway"
local random = require "waba.emulator.random"
local webhooks = require "waba.emulator.webhooks"

local numbers = {}

---@class waba.emulator.Port : waba.emulator.Gateway
---@field url string
---@field gateways waba.emulator.GatewayBase[]  the first gateway also gets requests without a known key
---@field by_key table<string, waba.emulator.GatewayBase>
local Port = {}
Port.__index = Port
Port.__name = "waba.emulator.Port"

function numbers.new_port() return setmetatable({ gateways = {}, by_key = {} }, Port) end

-- Returns an error message if a business number can't be added.
local function option_error(self, options)
  local other = self.by_key[options.api_key]
  if other then
    return ("the API key of the number %s is also that of the number %s: a key belongs to one number"):format(
      options.number, other.options.number)
  end
  for _, gateway in ipairs(self.gateways) do
    if gateway.options.number == options.number then
      return ("the emulator already has the number %s: expected another number"):format(options.number)
    end
  end
end

-- Returns the gateway for a request. The API key selects the gateway. Profile pictures are requested without a key; for
-- these requests the name of the picture selects the gateway.
local function gateway_of(self, request)
  local found = self.by_key[request.headers[gateways.KEY_HEADER] or ""]
  if found then return found end
  for _, gateway in ipairs(self.gateways) do
    local picture = gateway.profile.picture
    if picture and picture.name == request.segments[2] then return gateway end
  end
  return self.gateways[1]
end

function Port:expects(request) return gateway_of(self, request):expects(request) end

function Port:handle(request)
  request.gateway = gateway_of(self, request)
  return request.gateway:handle(request)
end

function Port:finished(request, response, written) request.gateway:finished(request, response, written) end

-- Creates one gateway of a business number, and the queue of its webhooks.
local function new_gateway(process, kind, options)
  local hosting = require("waba.emulator." .. kind)
  local queue = webhooks.new(options, process, hosting.webhook_shape(options))
  local function on_change(gateway, what, entry)
    if process.page then process.page.feed:publish(gateway, what, entry) end
  end
  local gateway = hosting.new({ options = options, clock = process.clock, folder = process.folder,
    chance = process.chance, record = process.record, log = process.log, kind = kind, webhooks = queue,
    on_change = on_change })
  queue.on_attempt = function(attempt)
    if process.log then process.log:webhook(kind, attempt) end
    on_change(gateway, "attempt", attempt)
  end
  return gateway
end

local KINDS = { "on_premise", "cloud" }

--- Adds a business number to both ports of a process. The options must be complete. Returns the descriptions of its
--- gateways by hosting (url, api_key, number …); or nil and an error message. The field `name` is the name of the
--- gateway in the control port.
function numbers.add(process, options)
  local own = { on_premise = options, cloud = options.cloud }
  for _, kind in ipairs(KINDS) do
    own[kind].api_key = own[kind].api_key or random.letters(32)
    local message = option_error(process.ports[kind], own[kind])
    if message then return nil, message end
  end
  options.cloud.phone_number_id = options.cloud.phone_number_id or random.digits(11)
  local described = {}
  for _, kind in ipairs(KINDS) do
    local port, gateway = process.ports[kind], new_gateway(process, kind, own[kind])
    local place = #port.gateways + 1
    gateway.url, gateway.name = port.url, place == 1 and kind or ("%s:%d"):format(kind, place)
    port.gateways[place], port.by_key[own[kind].api_key] = gateway, gateway
    process.gateways[gateway.name] = gateway
    described[kind] = gateway:describe()
    described[kind].name = gateway.name
  end
  process.numbers[#process.numbers + 1] = described
  return described
end

return numbers
