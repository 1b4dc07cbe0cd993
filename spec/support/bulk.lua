-- What the specs of bulk sending share: a gateway without a network, sources, and a journal read back.

local bulk = {}

local ANSWER = '{"messages":[{"id":"%s"}]}'

--- A transport that accepts everything: the n-th message gets the id "id-n". `gateway.received` counts, `most`
--- is how many were in flight at once. `answer(count, request)` may give a response or nil and a failure instead.
--- `delay` lets each request wait.
---@param given? { answer: function?, delay: number? }
function bulk.gateway(given)
  given = given or {}
  local gateway = { received = 0, in_flight = 0, most = 0 }
  function gateway:send(request)
    self.received = self.received + 1
    self.in_flight = self.in_flight + 1
    self.most = math.max(self.most, self.in_flight)
    local count = self.received
    if given.delay then require("waba").sleep(given.delay) end
    self.in_flight = self.in_flight - 1
    if given.answer then
      local response, failure = given.answer(count, request)
      if response or failure then return response, failure end
    end
    return bulk.response(201, ANSWER:format("id-" .. count))
  end
  return gateway
end

--- A response of the transport contract.
function bulk.response(status, body)
  return {
    status = status, headers = { ["content-type"] = "application/json" }, body = body, sent = "yes", reused = true,
    protocol = "HTTP/1.1", bytes_sent = 0, bytes_received = #body, timings = {},
  }
end

--- A client of such a gateway.
---@param gateway table
---@param options? table
function bulk.client(gateway, options)
  local given = { api_key = "key", transport = gateway, pace = false }
  for name, value in pairs(options or {}) do given[name] = value end
  return require("waba").client(given)
end

--- The recipient at a position.
function bulk.recipient(position)
  return ("49151%07d"):format(position)
end

--- A source of so many texts. `source.taken()` is how many were asked for.
---@param count integer
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

--- What a journal says of each key, the last word first: "sent", "failed", "maybe", "begun", "withdrawn".
---@param text string
---@return table<string, string> states
---@return table<string, integer> counts  of the states
function bulk.states(text)
  local states, counts = {}, { sent = 0, failed = 0, maybe = 0, begun = 0, withdrawn = 0 }
  for word, key in text:gmatch "(%l+) ([^ \n]+)[^\n]*\n" do
    if counts[word] then states[key] = word end
  end
  for _, word in pairs(states) do counts[word] = counts[word] + 1 end
  return states, counts
end

return bulk
