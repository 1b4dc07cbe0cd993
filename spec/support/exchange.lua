-- Sends one request through a transport, and collects the response. The description of the request and the result are
-- plain data, so that another process or a worker of nginx can send the request.
--
-- The description has the fields of a request (lua/waba/transport/contract.lua) with these differences:
--   method, url, headers, idempotent   replace the head
--   key = { value, origin }            the secret header
--   body = { pieces = { "…" }, size }  a reader that returns the pieces; with `raises = "…"` the reader then raises this
--                                      error; with `pause = s` the reader sleeps s seconds before each piece
--   into = { sink = true }             a sink; with `raises = "…"` its first call raises this error
--   progress = true                    a function that records the progress; with "raises" it raises an error
--   sleep = s                          sleeps instead of sending a request
--
-- The result has these fields:
--   response, failure or raised        what `send` of the transport returned or raised
--   received                           the bytes that the sink got
--   progress                           the arguments of the last call of the progress function; the field `monotonic`
--                                      is true if no number decreased
--   slept                              seconds

local core = require "waba.core"

local exchange = {}

local function reader_of(transport, body)
  local at = 0
  return function()
    at = at + 1
    if body.pause then transport:sleep(body.pause) end
    if body.raises and at > #body.pieces then error(body.raises, 0) end
    return body.pieces[at]
  end
end

local function sink_of(into, parts)
  return function(bytes)
    if into.raises then error(into.raises, 0) end
    parts[#parts + 1] = bytes
  end
end

local function progress_of(described, result)
  local before = { 0, 0 }
  return function(sent, to_send, received, to_receive)
    if described.progress == "raises" then error("the progress raised", 0) end
    result.monotonic = result.monotonic ~= false and sent >= before[1] and received >= before[2]
    before = { sent, received }
    result.progress = { sent = sent, to_send = to_send, received = received,
      to_receive = to_receive or (result.progress or {}).to_receive }
  end
end

-- Returns the credentials that a client would make.
local function credentials_of(transport, key)
  local secret = { header = "D360-API-KEY", value = key.value, origin = key.origin }
  if transport.credentials then return assert(transport:credentials(secret)) end
  return assert(core.credentials(secret))
end

local function head_of(transport, described)
  return {
    method = described.method or "POST", url = described.url, headers = described.headers or {}, idempotent = described.idempotent or false,
    credentials = described.key and credentials_of(transport, described.key),
  }
end

--- Sends the request of a description in the running coroutine, and returns the result.
function exchange.make(transport, described)
  local result, parts = {}, {}
  if described.sleep then
    local started = core.clock()
    transport:sleep(described.sleep)
    return { slept = core.clock() - started }
  end
  local body, into = described.body, described.into
  if type(body) == "table" and body.pieces then body = { reader = reader_of(transport, body), size = body.size } end
  if into and into.sink then into = { sink = sink_of(into, parts), max_size = into.max_size } end
  local done, response, failure = pcall(transport.send, transport, {
    head = head_of(transport, described), body = body, into = into, timeout = described.timeout or 20,
    connect_timeout = described.connect_timeout, max_body = described.max_body,
    progress = described.progress and progress_of(described, result),
  })
  if done then
    result.response, result.failure = response, failure
  else
    result.raised = tostring(response)
  end
  result.received = table.concat(parts)
  return result
end

return exchange
