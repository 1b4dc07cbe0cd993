-- Makes the heads of requests: URL, headers, credentials.

local core = require "waba.core"
local wire_string = require("waba.message.parts").wire_string
local version = require "waba.version"

local heads = {}

-- The fixed headers of a request, by the media type of its body.
local function headers_for(media_type, accept)
  return { ["Content-Type"] = media_type, Accept = accept or "application/json", ["User-Agent"] = "waba/" .. version }
end

local JSON_TYPE = "application/json"

-- Fills a path; a value that is missing is the caller's mistake in this library. `{+name}` takes what
-- the gateway itself gave as a path, percent-encoded already.
local function fill(path, parameters)
  return (path:gsub("{(%+?)([%w_]+)}", function(raw, name)
    return raw == "" and core.percent_encode(wire_string(parameters[name])) or parameters[name]
  end))
end

-- A path below the gateway's URL. Where that ends in /v1, as the sandbox's does, the paths that begin
-- with it say it no second time.
local function url_of(base_url, path)
  if path:find("^/v1/") and base_url:find("/v1$") then path = path:sub(4) end
  return base_url .. path
end

local function query_string(query)
  if not query then return "" end
  local names = {}
  for name in pairs(query) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do
    names[i] = core.percent_encode(name) .. "=" .. core.percent_encode(tostring(wire_string(query[name])))
  end
  return #names > 0 and "?" .. table.concat(names, "&") or ""
end

local function new_head(self, endpoint, path, query, media_type, more)
  local headers = headers_for(media_type, endpoint.binary and "*/*")
  for name, value in pairs(more or {}) do headers[name] = value end
  return {
    method = endpoint.method, url = url_of(self.base_url, path) .. query_string(query),
    headers = headers, credentials = self.credentials,
    idempotent = endpoint.idempotent or false,
  }
end

--- The head of a request. It is the same table from call to call where the path has no parameters,
--- so that the transport can keep what it made of it.
---@param self waba.Client
---@param endpoint waba.Endpoint
---@param call waba.Call
---@return waba.RequestHead
function heads.get(self, endpoint, call)
  if call.parameters or call.query or call.media_type then
    return new_head(self, endpoint, call.parameters and fill(endpoint.path, call.parameters) or endpoint.path,
      call.query or endpoint.query, call.media_type or (call.json ~= nil and JSON_TYPE or nil), call.headers)
  end
  local head = self.heads[endpoint]
  if not head then
    head = new_head(self, endpoint, endpoint.path, endpoint.query, endpoint.method ~= "GET" and JSON_TYPE or nil)
    self.heads[endpoint] = head
  end
  return head
end

return heads
