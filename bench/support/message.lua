-- The message that all programs of the benchmarks send: the request that waba makes from a text.

local waba = require "waba"

local message = {}

local KEY = "benchmark-key-of-the-usual-length"
local BODY_SIZE = 300

--- The number of connections that each program may open over HTTP/1.1.
message.CONNECTIONS = 16
message.BODY_SIZE = BODY_SIZE

--- Returns the request that waba makes from a text.
function message.recorded(text)
  local request
  local client = waba.client {
    api_key = KEY, pace = false, retry = false,
    transport = {
      send = function(_, options)
        request = options
        return nil, { kind = "cancelled", message = "recorded", sent = "no" }
      end,
    },
  }
  client:send("491511234567", waba.text(text))
  client:close()
  return request
end

--- Returns the headers of a request, without the API key.
---@return string[]  each "Name: value"
function message.header_lines(request)
  local lines = {}
  for name, value in pairs(request.head.headers) do lines[#lines + 1] = name .. ": " .. value end
  return lines
end

--- Returns a text whose request body has BODY_SIZE bytes, and the body and the headers of the request.
---@return { text: string, body: string, headers: string[] }
function message.sized()
  local text = "Your order 4711 is on its way. "
  local missing = BODY_SIZE - #message.recorded(text).body
  text = text .. ("and more "):rep(math.ceil(missing / 9)):sub(1, missing)
  local request = message.recorded(text)
  assert(#request.body == BODY_SIZE)
  local headers = message.header_lines(request)
  headers[#headers + 1] = "D360-API-KEY: " .. KEY
  return { text = text, body = request.body, headers = headers }
end

--- Returns the job for the programs of bench/support/peers.lua.
---@param sized { text: string, body: string, headers: string[] }
---@param more table  url, ca_file, protocol, in_flight, warm_up, count
function message.job(sized, more)
  local job = { key = KEY, connections = message.CONNECTIONS }
  for name, value in pairs(sized) do job[name] = value end
  for name, value in pairs(more) do job[name] = value end
  return job
end

return message
