-- For the specs of bulk runs: a transport that acts as the gateway, sources of messages, and a reader of journals.

local bulk = {}

local ANSWER = '{"messages":[{"id":"%s"}]}'

--- Returns a transport that acts as a gateway. The gateway accepts every message; the n-th message gets the id "id-n".
--- `gateway.received` is the number of messages, `gateway.most` the largest number in flight at once. The option
--- `respond(count, request)` can return another response, or nil and a failure. Each request waits for `delay` seconds.
---@param options? { respond: function?, delay: number? }
function bulk.gateway(options)
  options = options or {}
  local gateway = { received = 0, in_flight = 0, most = 0 }
  function gateway:send(request)
    self.received = self.received + 1
    self.in_flight = self.in_flight + 1
    self.most = math.max(self.most, self.in_flight)
    local count = self.received
    if options.delay then require("waba").sleep(options.delay) end
    self.in_flight = self.in_flight - 1
    if options.respond then
      local response, failure = options.respond(count, request)
      if response or failure then return response, failure end
    end
    return bulk.response(201, ANSWER:format("id-" .. count))
  end
  return gateway
end

--- Returns a response in the form of lua/waba/transport/contract.lua.
function bulk.response(status, body)
  return {
    status = status, headers = { ["content-type"] = "application/json" }, body = body, sent = "yes", reused = true,
    protocol = "HTTP/1.1", bytes_sent = 0, bytes_received = #body, timings = {},
  }
end

--- Returns a client whose transport is a gateway of `bulk.gateway`.
---@param options? table
function bulk.client(gateway, options)
  local merged = { api_key = "key", transport = gateway, pace = false }
  for name, value in pairs(options or {}) do merged[name] = value end
  return require("waba").client(merged)
end

function bulk.recipient(position) return ("49151%07d"):format(position) end

--- Returns a source of `count` texts. `source.taken()` returns the number of texts that were taken.
---@param key? fun(position: integer): any
function bulk.source(count, key)
  local position = 0
  local text = require("waba").text "Hello"
  local function take()
    if position == count then return nil end
    position = position + 1
    return bulk.recipient(position), text, key and key(position)
  end
  return take, function() return position end
end

--- Returns the last state that a journal has for each key: "sent", "failed", "maybe", "begun", "withdrawn".
---@return table<string, integer> counts  the number of keys in each state
function bulk.states(text)
  local states, counts = {}, { sent = 0, failed = 0, maybe = 0, begun = 0, withdrawn = 0 }
  for word, key in text:gmatch "(%l+) ([^ \n]+)[^\n]*\n" do
    if counts[word] then states[key] = word end
  end
  for _, word in pairs(states) do counts[word] = counts[word] + 1 end
  return states, counts
end

return bulk
