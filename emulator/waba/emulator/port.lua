-- A port of the emulator. The gateways of a hosting share a port; the API key of a request selects the gateway.

local gateways = require "waba.emulator.gateway"

local ports = {}

-- Each business number has a gateway for each hosting, with its own key, webhook URL, contacts, templates, media,
-- profile and limits.
---@class waba.emulator.Port : waba.emulator.Gateway
---@field gateways waba.emulator.GatewayBase[]  the first gateway also gets requests without a known key
---@field by_key table<string, waba.emulator.GatewayBase>
local Port = {}
Port.__index = Port
Port.__name = "waba.emulator.Port"

--- Creates a port without gateways.
---@return waba.emulator.Port
function ports.new() return setmetatable({ gateways = {}, by_key = {} }, Port) end

--- Returns an error message if a business number can't be added.
function Port:option_error(options)
  local other = self.by_key[options.api_key]
  if other then
    return ("the API key of the number %s is also that of the number %s: a key belongs to one number"):format(
      options.number, other.options.number)
  end
  for _, gateway in ipairs(self.gateways) do
    if gateway.options.number == options.number then
      return ("the emulator already has the number %s: expected another number"):format(options.number)
    elseif options.phone_number_id and gateway.options.phone_number_id == options.phone_number_id then
      return ("the phone_number_id of the number %s is also that of the number %s: expected another id"):format(
        options.number, gateway.options.number)
    end
  end
end

-- Returns the gateway for a request. The API key selects the gateway. A profile picture is requested without a key, so
-- the name of the picture selects the gateway.
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

return ports
