-- Webhook addresses (on-premise.md, section 6; cloud.md, section 4.1): the check of an address,
-- with the messages of 360dialog's gateway, and the number's own address, which both hostings have.

local rules = require "waba.emulator.rules"
local webhooks = require "waba.emulator.webhooks"

local webhook_address = {}

local absent = rules.absent

local function header_errors(headers, found)
  if type(headers) ~= "table" or headers[1] ~= nil then
    found[#found + 1] = "headers: must be an object"
    return
  end
  for name, value in pairs(headers) do
    if not name:find("^[%w!#$%%&'*+.^_`|~-]+$") then
      found[#found + 1] = "headers: a name is not the name of an HTTP header"
    elseif type(value) ~= "string" or value:find("%c") then
      found[#found + 1] = ("headers: the value of %s must be a text of one line"):format(name)
    end
  end
end

-- Cloud hosting accepts no port and no underscore; on loopback neither matters, which is where tests listen.
local function public_error(url)
  local host, port = url:match("^https://([^/:?#]+):?(%d*)")
  if not host or host == "localhost" or host:find("^127%.") then return nil end
  if port ~= "" then return "url: must not have a port" end
  if host:find "_" then return "url: the host must not have an underscore" end
end

--- Finds all errors of a request body.
---@param gateway table
---@param body table
---@param fields? table<string, boolean>  the allowed fields besides url and headers
---@return string[] messages
function webhook_address.errors(gateway, body, fields)
  local found = {}
  found[#found + 1] = webhooks.url_error(body.url)
  if not absent(body.headers) then header_errors(body.headers, found) end
  for name in pairs(body) do
    if name ~= "url" and name ~= "headers" and not (fields and fields[name]) then
      found[#found + 1] = ("%s: unknown field"):format(tostring(name))
    end
  end
  if #found == 0 and gateway.kind == "cloud" then found[1] = public_error(body.url) end
  table.sort(found)
  return found
end

--- The headers in a body, if any.
---@param body table
---@return table<string, string>
function webhook_address.headers(body) return not absent(body.headers) and body.headers or {} end

--- An address as a response shows it.
---@param address table|nil
---@return { url: string, headers: table<string, string> }
function webhook_address.shown(address)
  return { url = address and address.url or "", headers = address and address.headers or {} }
end

--- The valid body of a request; or a refusal.
---@param gateway table
---@param request waba.emulator.Request
---@param fields? table<string, boolean>
---@return table|nil body
---@return waba.emulator.Response? refusal
function webhook_address.read(gateway, request, fields)
  local body, refusal = gateway:gateway_body(request)
  if not body then return nil, refusal end
  local found = webhook_address.errors(gateway, body, fields)
  if #found > 0 then return nil, gateway.responses.invalid(found) end
  return body
end

local function get(gateway)
  return gateway.responses.json(200, webhook_address.shown(gateway.webhooks.addresses[webhooks.NUMBER]))
end

local function set(gateway, request)
  local body, refusal = webhook_address.read(gateway, request)
  if not body then return refusal end
  gateway.webhooks:set(body.url, webhook_address.headers(body))
  return get(gateway)
end

webhook_address.routes = {
  { "GET", "v1/configs/webhook", get },
  { "POST", "v1/configs/webhook", set },
}

return webhook_address
