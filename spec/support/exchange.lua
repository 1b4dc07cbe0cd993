-- One exchange of a transport, described as plain data and told as plain data, so that it can be made in
-- this process or in a worker of nginx.
--
-- What is asked for: a request of the transport contract with these differences:
--   method, url, headers, idempotent     instead of a head; key = { value, origin } for the secret header
--   body = { pieces = { "…" }, size = n }     a reader that gives these; with `raises = "…"` it raises
--                                        that afterwards, with `rests = s` it sleeps before each piece
--   into = { sink = true }               a sink; with `raises = "…"` it raises that at its first call
--   progress = true                      or "raises"
--   sleep = s                            nothing is sent, time passes
-- What is told: { response = … } or { failure = … } or { raised = … }; and `sunk`, what the sink got;
-- `progress`, the last report, with `monotonic`, whether no number ever went down; `slept`, in seconds.

local core = require "waba.core"

local exchange = {}

local function reader_of(transport, body)
  local at = 0
  return function()
    at = at + 1
    if body.rests then transport:sleep(body.rests) end
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

local function progress_of(asked, told)
  local before = { 0, 0 }
  return function(sent, to_send, received, to_receive)
    if asked.progress == "raises" then error("the progress raised", 0) end
    told.monotonic = told.monotonic ~= false and sent >= before[1] and received >= before[2]
    before = { sent, received }
    told.progress = { sent = sent, to_send = to_send, received = received,
      to_receive = to_receive or (told.progress or {}).to_receive }
  end
end

-- As a client makes them.
local function credentials_of(transport, key)
  local secret = { header = "D360-API-KEY", value = key.value, origin = key.origin }
  if transport.credentials then return assert(transport:credentials(secret)) end
  return assert(core.credentials(secret))
end

local function head_of(transport, asked)
  return {
    method = asked.method or "POST", url = asked.url, headers = asked.headers or {}, idempotent = asked.idempotent or false,
    credentials = asked.key and credentials_of(transport, asked.key),
  }
end

--- Makes one exchange, in the running coroutine.
---@param transport waba.Transport
---@param asked table
---@return table told
function exchange.make(transport, asked)
  local told, parts = {}, {}
  if asked.sleep then
    local started = core.clock()
    transport:sleep(asked.sleep)
    return { slept = core.clock() - started }
  end
  local body, into = asked.body, asked.into
  if type(body) == "table" and body.pieces then body = { reader = reader_of(transport, body), size = body.size } end
  if into and into.sink then into = { sink = sink_of(into, parts), max_size = into.max_size } end
  local done, response, failure = pcall(transport.send, transport, {
    head = head_of(transport, asked), body = body, into = into, timeout = asked.timeout or 20,
    connect_timeout = asked.connect_timeout, max_body = asked.max_body,
    progress = asked.progress and progress_of(asked, told),
  })
  if done then
    told.response, told.failure = response, failure
  else
    told.raised = tostring(response)
  end
  told.sunk = table.concat(parts)
  return told
end

return exchange
