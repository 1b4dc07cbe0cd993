-- A scripted server that acts as the Cloud gateway, and clients of this server.

local core = require "waba.core"
local server = require "spec.support.server"
local waba = require "waba"

local cloud_gateway = {}

--- The API key of every client of this server. Specs search objects and errors for this key.
cloud_gateway.KEY = "D360-SECRET-4f1a9c"

--- Starts a server. `spec/support/server.lua` describes its options and methods.
---@param options? table
function cloud_gateway.start(options)
  options = options or {}
  if options.tls == nil then options.tls = true end
  return server.start(options)
end

--- Returns a client of the server.
---@param options? waba.ClientOptions
function cloud_gateway.client(gateway, options)
  local merged = {
    api_key = cloud_gateway.KEY, hosting = "cloud", base_url = gateway.url, ca_file = gateway.ca_file, pace = false,
    retry = false,
  }
  for name, value in pairs(options or {}) do merged[name] = value end
  return waba.client(merged)
end

--- Returns a response with a JSON body.
---@param body string|table
---@param status? integer
function cloud_gateway.json(body, status)
  return {
    status = status, headers = { { "content-type", "application/json" } },
    body = type(body) == "table" and assert(core.encode(body)) or body,
  }
end

--- Returns an error response of Meta's Graph API.
---@param more? table  further fields of the error
function cloud_gateway.refusal(code, status, more)
  local said = { message = ("(#%d) words"):format(code), type = "OAuthException", code = code, fbtrace_id = "AqL2x" }
  for name, value in pairs(more or {}) do said[name] = value end
  return cloud_gateway.json({ error = said }, status)
end

--- Returns the last request that the server received.
---@param path? string
---@return table request  with the field `json` if its body is JSON
function cloud_gateway.last(gateway, path)
  local requests = gateway:received(path)
  local request = assert(requests[#requests], "the server has received no request")
  if request.body and request.body:find("^{") then request.json = core.decode(request.body) end
  return request
end

return cloud_gateway
