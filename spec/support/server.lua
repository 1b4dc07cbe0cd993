-- A scripted HTTP server in a process of its own, so that even a blocking client can talk to it.
-- It answers by path as told, and keeps what it received. It dies with the process that started it.
--
--   local server = require "spec.support.server"
--   local gateway = server.start {
--     protocol = "HTTP/1.1",      -- or "HTTP/2" (over TLS only)
--     tls = true,                 -- false: plain text
--     certificate = "valid",      -- or "wrong_host", "expired"
--     behaviour = "answer",       -- or "stall": accepts and never says a word (no handshake either);
--                                 --    "full": accepts no connection at all, its backlog is full
--                                 --    "leave": HTTP/2: a GOAWAY before the first request
--                                 --    "socks": a SOCKS5 proxy that refuses user and password
--     alpn = true,                -- HTTP/1.1 over TLS: false takes ALPN away
--     answers = { ["/path"] = answer, ["/other"] = { answer, answer } },
--   }
--   gateway.url, gateway.host, gateway.port, gateway.ca_file
--   gateway:answer("/path", answer, …)      -- from now on: these in turn, then the last one for ever
--   gateway:received(path?)                 -- every request, in order of arrival:
--                                           -- { method, path, query, headers, body, complete, connection }
--   gateway:count(path?)                    -- how many; incomplete ones too
--   gateway:connections()                   -- how many were accepted so far
--   gateway:open_connections()              -- how many are open now
--   gateway:most_connections()              -- how many were open at the same time
--   gateway:release()                       -- lets every answer with `held` go
--   gateway:forget()                        -- the requests and counts so far
--   gateway:stop()
--
-- An answer is a table; without any, and for a path without answers: 200, empty object as JSON.
--   status = 200, headers = { { "name", "value" }, … }, body = "…"
--   times = n            the body n times over
--   gzip = true          the body compressed
--   chunked = true       HTTP/1.1: chunked transfer coding
--   pieces = n, pause = s  the body in n pieces with a pause before each
--   delay = s            before anything is answered
--   reluctant = s        before the body is read
--   held = true          nothing is answered until `release`
--   interim = { 100, 103 }  statuses sent before
--   truncated = n        closes after n bytes of the body
--   raw = "bytes"        HTTP/1.1: these bytes instead of a response, then closes; with field = "bytes", times = n and
--                        tail = "bytes": followed by the field n times, then the tail
--   abrupt = true        with `raw`: closes without the end of TLS
--   drop = "head" | "request"   closes instead of answering: after the head, or after the whole request
--   reset = "head" | "request"  the same with a TCP reset; with `raw`: a TCP reset after it
--   refuse = code        HTTP/2: RST_STREAM with this error code instead of an answer
--   goaway = last        HTTP/2: GOAWAY naming this last stream (0: none was processed), then closes
--   goaway = "at"        HTTP/2: GOAWAY naming the stream of this request, then closes
--   goaway = "below"     HTTP/2: GOAWAY naming the stream before this one; others are still answered
--   bye = true           closes the connection after the answer, without having said so

local cqueues = require "cqueues"
local socket = require "cqueues.socket"

local server = {}

local Server = {}
Server.__index = Server

local HERE = debug.getinfo(1, "S").source:match("^@(.*)server%.lua$")

local interpreter = os.getenv("WABA_TEST_LUA") or (rawget(_G, "jit") and "luajit")
  or _VERSION:gsub("Lua ", "lua")

-- Plain data as Lua source.
local function write(value)
  if type(value) ~= "table" then
    return type(value) == "string" and string.format("%q", value) or tostring(value)
  end
  local parts = {}
  for key, item in pairs(value) do
    parts[#parts + 1] = "[" .. write(key) .. "]=" .. write(item)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function read(text)
  return assert((loadstring or load)("return " .. text))() -- luacheck: ignore loadstring
end

--- Plain data to text and back, for the talk between the two processes.
server.write, server.read = write, read

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

--- Starts a server; see the head of this file.
function server.start(options)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(write(options or {}))
  file:close()
  local input = assert(io.popen(("exec %s '%sserver_process.lua' '%s'"):format(interpreter, HERE, path), "w"))
  local self = setmetatable(read(wait_for_file(path .. ".ready")), Server)
  self.input = input
  self.control = socket.connect("127.0.0.1", self.control_port)
  self.control:setmode("b", "bn")
  return self
end

local function ask(self, command, ...)
  self.control:write(write({ command, ... }):gsub("\\\n", "\\n"), "\n")
  local size = assert(self.control:read("*l"), "the test server has died")
  local answer = read(size == "0" and "nil" or self.control:read(tonumber(size)))
  if type(answer) == "table" and answer.fault then error(answer.fault) end
  return answer
end

function Server:answer(path, ...)
  return ask(self, "answer", path, { ... })
end

function Server:received(path)
  return ask(self, "received", path)
end

function Server:count(path)
  return #self:received(path)
end

function Server:connections()
  return ask(self, "connections").total
end

function Server:open_connections()
  return ask(self, "connections").open
end

function Server:most_connections()
  return ask(self, "connections").most
end

function Server:release()
  return ask(self, "release")
end

function Server:forget()
  return ask(self, "forget")
end

--- Ends the server process and removes its files.
function Server:stop()
  if self.input then
    self.control:close()
    self.input:close()
    self.input = nil
    os.remove(self.ca_file)
  end
end

return server
