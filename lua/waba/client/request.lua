-- `client:request`: requests to paths of the gateway for which the client has no method.

local call_endpoint = require "waba.client.call"
local errors = require "waba.errors"
local exact_digits = require "waba.digits"
local option = require "waba.option"

local IDEMPOTENT = { GET = true, HEAD = true, PUT = true, DELETE = true }

--- A request to a path of the gateway.
---@options waba.RequestOptions
local REQUEST_OPTIONS = {
  method = { "string", "GET" }, -- the HTTP method
  path = "string",              -- required: the path, which begins with "/" and is percent-encoded
  query = "table",              -- the query parameters by name
  body = "any",                 -- the body of the request: a string is sent unchanged, any other value as JSON
  media_type = "string",        -- the MIME type of the body; default: application/json
  timeout = "number",           -- seconds; default: the client's `timeout`
}

return function(client, options)
  options = option.complete(options, REQUEST_OPTIONS, "client:request", 3)
  local path = options.path
  if type(path) ~= "string" or path:sub(1, 1) ~= "/" then
    error('client:request: option path is required and begins with "/"', 3)
  end
  if path:find("[%c%s]") then
    error("client:request: option path must be percent-encoded: it contains a space or a control character", 3)
  end
  local method = options.method:upper()
  if not method:find("^%u+$") then
    error(('client:request: option method must consist of letters, such as GET, not "%s"'):format(method), 3)
  end
  local is_closed = client.hosting.is_closed -- nil on Cloud hosting
  if is_closed and is_closed(path) then
    return nil, errors.new {
      kind = "blocked", path = path,
      message = "360dialog keeps " .. path .. " closed; ask 360dialog in a support ticket to open it",
    }
  end
  for name, value in pairs(options.query or {}) do
    if type(value) == "number" and not exact_digits(value) then
      return nil, errors.invalid("query." .. tostring(name),
        ("query.%s is a number too large to be exact (2^53 and more); pass it as a string"):format(tostring(name)))
    end
  end
  local is_bytes = type(options.body) == "string"
  local endpoint = { method = method, path = path, idempotent = IDEMPOTENT[method], raw = true }
  local json, response = call_endpoint(client, endpoint, {
    query = options.query, json = not is_bytes and options.body or nil, body = is_bytes and options.body or nil,
    media_type = options.media_type or options.body ~= nil and "application/json" or nil, timeout = options.timeout,
  })
  if json == true and response.body ~= "" then json = response.body end
  return json, response
end
