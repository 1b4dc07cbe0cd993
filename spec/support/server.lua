-- A scripted HTTP server in a process of its own, so that a blocking client can use it too. The script has the
-- responses for each path. The server records the requests, and ends with the process that started it.
--
--   local server = require "spec.support.server"
--   local gateway = server.start {
--     protocol = "HTTP/1.1",      -- or "HTTP/2" (over TLS only)
--     tls = true,                 -- false: plain HTTP
--     certificate = "valid",      -- or "wrong_host", "expired"
--     behaviour = "answer",       -- "stall": accepts connections and sends nothing, not even a TLS handshake;
--                                 -- "full": accepts no connection, because its backlog is full;
--                                 -- "hang_up": closes connections after the client's first bytes;
--                                 -- "greet": closes connections after the TLS handshake;
--                                 -- "leave": HTTP/2: sends a GOAWAY before the first request;
--                                 -- "socks": is a SOCKS5 proxy that refuses the user name and the password
--     alpn = true,                -- HTTP/1.1 over TLS: false disables ALPN
--     responses = { ["/path"] = response, ["/other"] = { response, response } },
--   }
--   gateway.url, gateway.host, gateway.port, gateway.ca_file
--   gateway:respond("/path", response, …)   -- sets the next responses, in this order; the last one is repeated
--   gateway:received(path?)                 -- returns all requests, in the order of their arrival:
--                                           -- { method, path, query, headers, body, complete, connection }
--   gateway:count(path?)                    -- returns the number of requests, with incomplete requests
--   gateway:connections()                   -- returns the number of accepted connections
--   gateway:open_connections()              -- returns the number of open connections
--   gateway:most_connections()              -- returns the largest number of open connections
--   gateway:release()                       -- sends the responses with `held`
--   gateway:forget()                        -- removes the recorded requests and the recorded numbers
--   gateway:stop()                          -- ends the server
--
-- A response is a table with these fields. A path without responses has status 200 and an empty JSON object.
--   status = 200, headers = { { "name", "value" }, … }, body = "…"
--   times = n              repeats the body n times
--   gzip = true            compresses the body
--   chunked = true         HTTP/1.1: uses the chunked transfer coding
--   pieces = n, pause = s  sends the body in n pieces, with a pause of s seconds before each
--   delay = s              waits s seconds before the response
--   reluctant = s          waits s seconds before reading the request's body
--   held = true            waits for a call of `release` before the response
--   interim = { 100, 103 }  sends these statuses before the response
--   truncated = n          closes the connection after n bytes of the body
--   raw = "bytes"          HTTP/1.1: sends these bytes instead of a response, then closes the connection
--   field = "bytes", times = n, tail = "bytes"  only with `raw`: sends the field n times after these bytes, and then the tail
--   abrupt = true          with `raw`: closes the connection without TLS's close_notify
--   drop = "head" | "request"   closes the connection without a response: after the head, or after the whole request
--   reset = "head" | "request"  like `drop`, with a TCP reset; with `raw` the reset follows the raw bytes
--   refuse = code          HTTP/2: sends RST_STREAM with this error code instead of a response
--   goaway = last          HTTP/2: sends GOAWAY with this last stream (0: no stream was processed), then closes the
--                          connection
--   goaway = "at"          HTTP/2: sends GOAWAY with the stream of this request, then closes the connection
--   goaway = "below"       HTTP/2: sends GOAWAY with the stream before this request; earlier streams get responses
--   bye = true             closes the connection after the response, without the header "Connection: close"

local cqueues = require "cqueues"
local socket = require "cqueues.socket"

local plain_data = require "spec.support.plain_data"

local server = {}

local Server = {}
Server.__index = Server

local HERE = debug.getinfo(1, "S").source:match("^@(.*)server%.lua$")

local interpreter = os.getenv("WABA_TEST_LUA") or (rawget(_G, "jit") and "luajit")
  or _VERSION:gsub("Lua ", "lua")

local function wait_for_file(path)
  for _ = 1, 2000 do
    local file = io.open(path)
    if file then
      local text = file:read("*a")
      file:close()
      os.remove(path)
      return text
    end
    cqueues.sleep(0.005)
  end
  error("the test server did not start")
end

--- Starts a server. The head of this file describes the options.
function server.start(options)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(plain_data.write(options or {}))
  file:close()
  local input = assert(io.popen(("exec %s '%sserver_process.lua' '%s'"):format(interpreter, HERE, path), "w"))
  local self = setmetatable(plain_data.read(wait_for_file(path .. ".ready")), Server)
  self.input = input
  self.control = socket.connect("127.0.0.1", self.control_port)
  self.control:setmode("b", "bn")
  return self
end

local function ask(self, command, ...)
  self.control:write(plain_data.write { command, ... }, "\n")
  local size = assert(self.control:read("*l"), "the test server has died")
  local response = plain_data.read(size == "0" and "nil" or self.control:read(tonumber(size)))
  if type(response) == "table" and response.fault then error(response.fault) end
  return response
end

function Server:respond(path, ...) return ask(self, "respond", path, { ... }) end

function Server:received(path) return ask(self, "received", path) end

function Server:count(path) return #self:received(path) end

function Server:connections() return ask(self, "connections").total end

function Server:open_connections() return ask(self, "connections").open end

function Server:most_connections() return ask(self, "connections").most end

function Server:release() return ask(self, "release") end

function Server:forget() return ask(self, "forget") end

function Server:stop()
  if self.input then
    self.control:close()
    self.input:close()
    self.input = nil
    os.remove(self.ca_file)
  end
end

return server
