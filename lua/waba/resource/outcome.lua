-- Calls endpoints for the methods of resources, and reads the responses.

local errors = require "waba.errors"
local values = require "waba.hosting.values"

local outcome = {}

-- Returns the content of a response: the value at the first path of `endpoint.result` that exists in the response.
local function content_of(endpoint, json)
  if not endpoint.result then return json end
  for place in endpoint.result:gmatch "%S+" do
    local content = values.dig(json, place)
    if content ~= nil then return content end
  end
end

--- Reads the content of a response.
---@param endpoint waba.Endpoint
---@param read fun(content: any): any  converts the content; returns nil if the content is missing
---@param absent string|nil          the error text for a response without the content
---@param kind waba.ErrorKind|nil    the kind of the error; default: "protocol"
---@param json any                   `json` and `response` are the results of `client:call`
---@param response waba.Response|waba.Error
function outcome.read(endpoint, read, absent, kind, json, response)
  if json == nil and not (endpoint.may_be_unset and response.kind == "not_found") then return nil, response end
  local result = read(content_of(endpoint, json))
  if result ~= nil then return result end
  return nil, errors.new {
    kind = kind or "protocol", status = response.status, message = absent,
    maybe_sent = endpoint.method ~= "GET", -- the gateway may have executed the request
  }
end

--- Calls an endpoint and reads the content of the response.
---@param client waba.Client
---@param name string  the name of the endpoint
---@param call waba.Call|nil
---@param read fun(content: any): any
---@param absent? string        see `outcome.read`
---@param kind? waba.ErrorKind  see `outcome.read`
function outcome.fetch(client, name, call, read, absent, kind)
  return outcome.read(client.hosting.endpoints[name], read, absent, kind, client:call(name, call))
end

--- Reads the response `{"success":true}`.
---@return true|nil
---@return waba.Error? err  the error of the call, or kind "api" if `success` is false
function outcome.success(json, response)
  if json == nil then return nil, response end
  if type(json) == "table" and values.flag(json.success) == false then
    return nil, errors.new {
      kind = "api", status = response.status,
      message = "the gateway did not execute the request: its response has success: false",
    }
  end
  return true
end

return outcome
