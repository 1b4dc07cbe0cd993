-- The two hostings by name, their modules, and their endpoints.

local errors = require "waba.errors"
local runtime = require "waba.runtime"

local hosting = {}

---@type table<waba.Hosting, true>
hosting.NAMES = { on_premise = true, cloud = true }

--- How one endpoint is called, or why it can't be called.
---@class waba.Endpoint
---@field method string
---@field path string           `{name}` is replaced with a value in percent-encoding, `{+name}` with an unchanged value
---@field idempotent? boolean   true: a repeated request has no further effect. Requests with GET always are idempotent
---@field class? string         the name of the rate limit for the endpoint; default: "other"
---@field binary? boolean       true: a 2xx body is bytes, not JSON
---@field summary? fun(body: string): any  picks fields from a 2xx body; returns nil if the body must be decoded instead
---@field query? table<string, any>  query parameters that every request has
---@field result? string       the paths at which the response can have the content, such as "data.1", separated by
---                             blanks; without `result` the whole body is the content
---@field may_be_unset? boolean  true: the status 404 means that no value is set
---@field is_external? boolean  true: requests go to another host, which has its own rate limits
---@field unsupported? string   the error text if the hosting does not have the endpoint; then the other fields are nil

function hosting.get(name) return require("waba.hosting." .. name) end

--- Loads one module of a hosting, such as "media". `gateway` is the hosting's module, or any table whose field `name`
--- is the hosting's name.
function hosting.part(gateway, part)
  return runtime.require("waba.hosting." .. gateway.name .. "." .. part)
end

--- Returns an endpoint; nil and an error of kind "invalid" if the hosting does not have the endpoint.
function hosting.endpoint(gateway, name)
  local endpoint = gateway.endpoints[name]
  if not endpoint.unsupported then return endpoint end
  return nil, errors.new { kind = "invalid", message = endpoint.unsupported }
end

return hosting
