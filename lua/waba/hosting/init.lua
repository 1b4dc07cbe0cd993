-- The two gateways by name, their parts, and their endpoints.

local errors = require "waba.errors"
local runtime = require "waba.runtime"

local hosting = {}

--- The names of the gateways.
---@type table<waba.Hosting, true>
hosting.NAMES = { on_premise = true, cloud = true }

--- How one endpoint is called, or why it can't be called.
---@class waba.Endpoint
---@field method string
---@field path string           `{name}` stands for a value to percent-encode, `{+name}` for a value that is percent-encoded already
---@field idempotent? boolean   true: the gateway may receive a request twice without harm
---@field class? string         the name of the rate limit for the endpoint; "other" by default
---@field binary? boolean       true: a 2xx body is bytes, not JSON
---@field summary? fun(body: string): any  a function that reads a 2xx body instead of the JSON decoder; returns nil if
---        the decoder must be used
---@field query? table<string, any>  query parameters that every request has
---@field is_external? boolean  true: requests go to another host, which has its own rate limits
---@field unsupported? string   set if the gateway does not have the endpoint: the error text, which states the
---                             alternative. If this field is set, all other fields are nil

--- Loads a gateway.
function hosting.get(name)
  return require("waba.hosting." .. name)
end

--- Loads one part of a gateway: "media", "templates", …
function hosting.part(gateway, part)
  return runtime.require("waba.hosting." .. gateway.name .. "." .. part)
end

--- Finds an endpoint.
---@return waba.Endpoint|nil
---@return waba.Error? err  an error of kind "invalid" if the gateway does not have the endpoint
function hosting.endpoint(gateway, name)
  local endpoint = gateway.endpoints[name]
  if not endpoint.unsupported then return endpoint end
  return nil, errors.new { kind = "invalid", message = endpoint.unsupported }
end

return hosting
