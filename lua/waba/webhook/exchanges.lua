-- Serves the HTTP exchanges of the webhook server: reads a request within the limits of its peer, passes the request to
-- the receiver, and responds.

local protect = require("waba.coroutines").protect

local exchanges = {}

-- The status for an incomplete body; nil: the connection is closed without a response.
local STATUS_OF = { timeout = 408, malformed = 400 }

local REASONS = {
  [408] = "its body was not complete in time (limits.request_seconds)", [400] = "its chunks are malformed",
  [413] = "its body is longer than max_body",
}

-- Reads the body. Returns nil, a status and a reason if the body is refused or incomplete.
local function read_body(self, exchange)
  local budget, connection, most = self.listener.limits, exchange.connection, self.receiver.max_body
  if not budget:begin_body(connection) then
    return nil, 503, "the peer has too many incomplete bodies: see limits.peer_bodies"
  end
  local collect, size = require("waba.http.exchange").collector(), 0
  while true do
    local chunk, reason = exchange:read()
    if reason then return nil, STATUS_OF[reason], REASONS[STATUS_OF[reason]] end
    if not chunk then break end
    size = size + #chunk
    if size > most then return nil, 413, REASONS[413] end
    if not budget:hold(connection, #chunk) then
      return nil, 503, "the bodies need too much memory: see limits.held_bytes and limits.peer_held_bytes"
    end
    collect(chunk)
  end
  budget:finish_body(connection)
  return collect()
end

local RETRY_AFTER = { ["retry-after"] = "1" }

local function handle_request(self, exchange)
  local path, query = exchange.target:gsub("#.*$", ""):match "^([^?]*)%??(.*)$"
  if self.stopping then return exchange:respond(503, RETRY_AFTER, "") end
  local address = exchange.connection.address
  if self.path and path ~= self.path then
    self.report(404, ("its path is %s, not %s"):format(path, self.path), address)
    return exchange:respond(404, {}, "")
  end
  local receiver = self.receiver
  local request = { method = exchange.method, path = path, query = query, headers = exchange.headers }
  local refused, headers, body, reason = receiver:refuse(exchange.method, exchange.length, exchange.headers, request)
  if refused then
    self.report(refused, reason, address)
    return exchange:respond(refused, headers, body)
  end
  local place = request.place
  if receiver:knows(exchange.headers, request) then self.listener.limits:trust(exchange.connection) end
  local content, status
  content, status, reason = read_body(self, exchange)
  if not content then
    if not status then return exchange:drop() end
    self.report(status, reason, address)
    return exchange:respond(status, status == 503 and RETRY_AFTER or {}, "")
  end
  request.body = content
  local puts = self.work and self.work.puts
  status, headers, body, reason = receiver:handle(request, self.put)
  if status ~= 200 then self.report(status, reason, address) end
  if status == 200 and place and not place.is_open then self.listener.limits:trust(exchange.connection) end
  exchange:respond(status, headers, body)
  if status == 200 and self.work and self.work.puts == puts then self.work:wake() end
end

function exchanges.serve(self, exchange)
  self.active = self.active + 1
  local ok, raised = protect(handle_request, self, exchange)
  self.active = self.active - 1
  self.idle:signal()
  if self.stopping then
    exchange.keep = false
    if self.work then self.work:wake() end
  end
  if not ok then error(raised, 0) end
end

return exchanges
