-- The two gateways by name, their parts, and their endpoints.

local errors = require "waba.errors"
local runtime = require "waba.runtime"

local hosting = {}

--- The names of the gateways.
---@type table<waba.Hosting, true>
hosting.NAMES = { on_premise = true, cloud = true }

--- How one endpoint is called, or why it can't be.
---@class waba.Endpoint
---@field method string
---@field path string           `{name}` stands for a value that is percent-encoded, `{+name}` for one that is already
---@field idempotent? boolean   a request may reach the gateway twice without harm
---@field class? string         the rate limit of the endpoint; "other" by default
---@field binary? boolean       a 2xx body is bytes, not JSON
---@field summary? fun(body: string): any  reads a 2xx body instead of the JSON decoder; nil: use the decoder
---@field query? table<string, any>  query parameters of every request
---@field is_external? boolean  requests go to another host, which has its own rate limits
---@field unsupported? string   the gateway does not have the endpoint: the message of the error, which names the
---                             alternative. All other fields are nil

--- Loads a gateway.
---@param name waba.Hosting
---@return table
function hosting.get(name)
  return require("waba.hosting." .. name)
end

--- Loads one part of a gateway: "media", "templates", …
---@param gateway { name: waba.Hosting }
---@param part string
---@return table
function hosting.part(gateway, part)
  return runtime.require("waba.hosting." .. gateway.name .. "." .. part)
end

--- Finds an endpoint.
---@param gateway table
---@param name string
---@return waba.Endpoint|nil
---@return waba.Error? err  of kind "invalid", if the gateway does not have the endpoint
function hosting.endpoint(gateway, name)
  local endpoint = gateway.endpoints[name]
  if not endpoint.unsupported then return endpoint end
  return nil, errors.new { kind = "invalid", message = endpoint.unsupported }
end

return hosting
