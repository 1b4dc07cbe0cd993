-- A transport that returns the responses of a list and records the requests, for responses that a correct gateway does
-- not send.

local scripted_transport = {}

local Scripted = {}
Scripted.__index = Scripted

--- Makes a transport.
---@param answers table[]  one for each request, in order: `{ status?, body?, headers?, content_coding?, failure? }`; a body is
---  passed to a sink in the pieces of `pieces`, if this is set
---@return table transport  `requests` has the requests: method, url, headers, body
function scripted_transport.new(responses)
  return setmetatable({ responses = responses, requests = {}, slept = 0 }, Scripted)
end

local function read_body(body)
  if type(body) ~= "table" then return body end
  if body.file then
    local file = assert(io.open(body.file, "rb"))
    local bytes = file:read("*a")
    file:close()
    return bytes
  end
  local pieces = {}
  for piece in body.reader do pieces[#pieces + 1] = piece end
  return table.concat(pieces)
end

local function deliver(into, response)
  local pieces = response.pieces or { response.body or "" }
  local file = into.file and assert(io.open(into.file, "wb"))
  for _, piece in ipairs(pieces) do
    if file then file:write(piece) else into.sink(piece) end
  end
  if file then file:close() end
end

function Scripted:send(request)
  local head = request.head
  self.requests[#self.requests + 1] = {
    method = head.method, url = head.url, headers = head.headers, body = read_body(request.body),
    timeout = request.timeout, max_body = request.max_body, max_size = request.into and request.into.max_size,
  }
  local response = assert(table.remove(self.responses, 1), "no response is left in the script")
  if response.pieces then response.body = table.concat(response.pieces) end
  local status, body, into = response.status or 200, response.body or "", request.into
  if into and status >= 200 and status < 300 then
    deliver(into, response)
    body = ""
  end
  if response.failure then return nil, response.failure end
  return {
    status = status, headers = response.headers or { ["content-type"] = "application/json" }, body = body, sent = "yes",
    content_coding = response.content_coding, reused = false,
    protocol = "HTTP/1.1", bytes_sent = 0, bytes_received = #(response.body or ""), timings = {},
  }
end

function Scripted:sleep(seconds) self.slept = self.slept + seconds end

function Scripted.close() end

--- Returns a client with a scripted transport. The client has no rate limit, because the transport does not wait.
---@param options? waba.ClientOptions  further options
function scripted_transport.client(responses, options)
  local transport = scripted_transport.new(responses)
  local merged = { api_key = "key", transport = transport, pace = false }
  for name, value in pairs(options or {}) do merged[name] = value end
  return require("waba").client(merged), transport
end

--- Returns a client on Cloud hosting with a scripted transport. The client does not repeat requests.
---@param options? waba.ClientOptions
function scripted_transport.cloud_client(responses, options)
  local merged = { hosting = "cloud", retry = false }
  for name, value in pairs(options or {}) do merged[name] = value end
  return scripted_transport.client(responses, merged)
end

return scripted_transport
