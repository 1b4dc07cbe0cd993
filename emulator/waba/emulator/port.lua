-- One port of the emulator, which serves all numbers of a hosting. Each number has a gateway object of its own: its
-- key, webhook address, contacts, templates, media, profile and limits. The API key of a request selects the gateway.

local gateways = require "waba.emulator.gateway"

local port = {}

---@class waba.emulator.Port : waba.emulator.Gateway
---@field gateways waba.emulator.GatewayBase[]  the first one also gets requests without a known key
---@field by_key table<string, waba.emulator.GatewayBase>
local Port = {}
Port.__index = Port
Port.__name = "waba.emulator.Port"

---@return waba.emulator.Port
function port.new() return setmetatable({ gateways = {}, by_key = {} }, Port) end

--- Returns an error message if a number can't be added.
---@param options table  the complete options of the number's gateway
---@return string|nil reason
function Port:option_error(options)
  if self.by_key[options.api_key] then
    return ("the API key of the number %s belongs to the number %s"):format(options.number,
      self.by_key[options.api_key].options.number)
  end
  for _, gateway in ipairs(self.gateways) do
    if gateway.options.number == options.number then
      return ("the number %s is there already"):format(options.number)
    end
  end
end

--- Adds the gateway of a number.
---@param gateway waba.emulator.GatewayBase
function Port:add(gateway)
  gateway.url = self.url
  self.gateways[#self.gateways + 1] = gateway
  self.by_key[gateway.options.api_key] = gateway
end

-- The gateway of a request: by its key, or by the picture that it asks for without a key.
local function gateway_of(self, request)
  local found = self.by_key[request.headers[gateways.KEY_HEADER] or ""]
  if found then return found end
  for _, gateway in ipairs(self.gateways) do
    local picture = gateway.profile.picture or gateway.profile.photo
    if picture and picture.name == request.segments[2] then return gateway end
  end
  return self.gateways[1]
end

---@param request waba.emulator.Request
---@return { limit: integer, file: string? }
function Port:expects(request) return gateway_of(self, request):expects(request) end

---@param request waba.emulator.Request
---@return waba.emulator.Response
function Port:handle(request)
  request.gateway = gateway_of(self, request)
  return request.gateway:handle(request)
end

---@param request waba.emulator.Request
---@param response waba.emulator.Response
---@param written boolean
function Port:finished(request, response, written) request.gateway:finished(request, response, written) end

return port
