-- A scripted server in the place of the Cloud gateway, and clients of it.

local core = require "waba.core"
local server = require "spec.support.server"
local waba = require "waba"

local cloud_gateway = {}

--- The key of every client of it; no test may find it anywhere but here.
cloud_gateway.KEY = "D360-SECRET-4f1a9c"

--- Starts one; `spec/support/server.lua` tells what it can do.
---@param options? table
---@return table gateway
function cloud_gateway.start(options)
  options = options or {}
  if options.tls == nil then options.tls = true end
  return server.start(options)
end

--- A client of it.
---@param gateway table
---@param options? waba.ClientOptions
---@return waba.Client
function cloud_gateway.client(gateway, options)
  local given = {
    api_key = cloud_gateway.KEY, hosting = "cloud", base_url = gateway.url, ca_file = gateway.ca_file, pace = false,
    retry = false,
  }
  for name, value in pairs(options or {}) do given[name] = value end
  return waba.client(given)
end

--- An answer of JSON.
---@param body string|table
---@param status? integer
---@return table
function cloud_gateway.json(body, status)
  return {
    status = status, headers = { { "content-type", "application/json" } },
    body = type(body) == "table" and assert(core.encode(body)) or body,
  }
end

--- What Graph says when it refuses.
---@param code integer
---@param status integer
---@param more? table  fields of the error
---@return table answer
function cloud_gateway.refusal(code, status, more)
  local said = { message = ("(#%d) words"):format(code), type = "OAuthException", code = code, fbtrace_id = "AqL2x" }
  for name, value in pairs(more or {}) do said[name] = value end
  return cloud_gateway.json({ error = said }, status)
end

--- The last request that came.
---@param gateway table
---@param path? string
---@return table request  with `json`, when its body is JSON
function cloud_gateway.last(gateway, path)
  local requests = gateway:received(path)
  local request = assert(requests[#requests], "nothing came")
  if request.body and request.body:find("^{") then request.json = core.decode(request.body) end
  return request
end

return cloud_gateway
