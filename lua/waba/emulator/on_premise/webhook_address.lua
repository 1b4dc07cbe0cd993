-- The webhook address (reference, section 6).

local answers = require "waba.emulator.on_premise.answers"
local walker = require "waba.emulator.on_premise.walker"
local webhooks = require "waba.emulator.webhooks"

local webhook_address = {}

-- What is wrong with the body, as the list of sentences the gateway gives.
local function problems(body)
  local found = {}
  found[#found + 1] = webhooks.problem(body.url)
  local headers = body.headers
  if not walker.absent(headers) then
    if type(headers) ~= "table" or headers[1] ~= nil then
      found[#found + 1] = "headers: must be an object"
    else
      for name, value in pairs(headers) do
        if not name:find("^[%w!#$%%&'*+.^_`|~-]+$") then
          found[#found + 1] = "headers: a name is not the name of an HTTP header"
        elseif type(value) ~= "string" or value:find("%c") then
          found[#found + 1] = ("headers: the value of %s must be a text of one line"):format(name)
        end
      end
    end
  end
  for name in pairs(body) do
    if name ~= "url" and name ~= "headers" then
      found[#found + 1] = ("%s: unknown field"):format(tostring(name))
    end
  end
  table.sort(found)
  return found
end

local function stored(gateway)
  local address = gateway.webhooks.address
  return answers.json(200, { url = address and address.url or "", headers = address and address.headers or {} })
end

local function set(gateway, request)
  local body, refusal = gateway:gateway_body(request)
  if not body then
    return refusal
  end
  local found = problems(body)
  if #found > 0 then
    return answers.meta(400, "Validation error", found)
  end
  gateway.webhooks:set(body.url, not walker.absent(body.headers) and body.headers or {})
  return stored(gateway)
end

--- Adds the routes of this section.
---@param route fun(method: string, path: string, handler: function)
function webhook_address.routes(route)
  route("GET", "v1/configs/webhook", stored)
  route("POST", "v1/configs/webhook", set)
end

return webhook_address
