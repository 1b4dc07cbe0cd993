-- The connection of the handle to the control port: blocking HTTP exchanges, one after the other, with an engine of
-- waba.curl. Also defines a function that sleeps in the caller's event loop.

local core = require "waba.core"
local curl = require("waba.library").curl()
local errors = require "waba.errors"

local remote = {}

-- The seconds after which a call fails, and the largest response in bytes. A journal with many requests is large.
local TIMEOUT, MAX_RESPONSE = 30, 1024 * 1024 * 1024

--- The control connection to one gateway. The gateways of a process share one HTTP connection.
---@class waba.emulator.Remote
local Remote = {}
Remote.__index = Remote
Remote.__name = "waba.emulator.Remote"

--- Connects to the control port of a process; the calls are for the On-Premise gateway.
function remote.new(url, token)
  return setmetatable({ connection = { url = url, token = token, engine = curl.engine() },
    gateway = "on_premise" }, Remote)
end

--- Returns the control connection to another gateway of the same process.
function Remote:to(gateway) return setmetatable({ connection = self.connection, gateway = gateway }, Remote) end

local function exchange(self, path, content_type, body, seconds)
  local engine = self.connection.engine
  local head = engine:prepare({ method = "POST", url = ("%s/%s%s"):format(self.connection.url, self.gateway, path),
    idempotent = false, headers = { ["Content-Type"] = content_type, ["X-Waba-Emulator"] = self.connection.token } })
  local transfer, reason = engine:start(head, body, { timeout = seconds or TIMEOUT, max_body = MAX_RESPONSE })
  if not transfer then return nil, { message = reason } end
  while true do
    engine:pump()
    while engine:ready() do
      if transfer:wants() == "finished" then return transfer:finish() end
    end
    engine:wait(1)
  end
end

local function unavailable(message) return errors.new({ kind = "unavailable", message = message }) end

local function request(self, ...)
  if not self.connection.engine then return nil, unavailable "the emulator is stopped: expected a running emulator" end
  local response, failure = exchange(self, ...)
  if not response then return nil, unavailable("the call of the emulator failed: " .. tostring(failure.message)) end
  local decoded = core.decode(response.body)
  if type(decoded) ~= "table" then
    return nil, unavailable "the emulator's response cannot be decoded: expected JSON"
  end
  if decoded.error then return nil, unavailable(decoded.error) end
  return decoded.result
end

--- Creates a call, and waits for the response, by default for 30 seconds. Returns the result; or nil and an error.
function Remote:ask(name, arguments, seconds)
  local body, message, path = core.encode(arguments)
  if not body then return nil, unavailable(("%s: %s"):format(path, message)) end
  return request(self, "/call/" .. name, "application/json", body, seconds)
end

--- Uploads a media file: a string, or `{ file = path }`. Returns the id of the file; or nil and an error.
function Remote:upload(body, mime_type) return request(self, "/media", mime_type, body) end

function Remote:close()
  if self.connection.engine then
    self.connection.engine:close()
    self.connection.engine = nil
  end
end

--- Sleeps. In cqueues and nginx only the calling coroutine sleeps; elsewhere the whole program sleeps.
function remote.sleep(seconds)
  local cqueues = package.loaded["cqueues"]
  if type(cqueues) == "table" and cqueues.running and cqueues.running() then
    cqueues.sleep(seconds)
  elseif type(ngx) == "table" and ngx.sleep then
    ngx.sleep(seconds)
  else
    curl.wait({}, seconds)
  end
end

return remote
