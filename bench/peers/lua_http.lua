-- Sends messages with lua-http: over HTTP/1.1 with a connection for each request in flight, over HTTP/2 with one
-- connection. This program keeps the connections itself, because `http.request` opens a new one for each request.

package.path = arg[0]:match "^(.*)/[^/]*$" .. "/?.lua;" .. package.path

local support = require "support"
local cjson = require "cjson"
local client = require "http.client"
local context = require "openssl.ssl.context"
local cqueues = require "cqueues"
local new_headers = require("http.headers").new
local store = require "openssl.x509.store"

local peer = support.read_arguments()
local host, port, path = peer.url:match "^https://([^:/]+):(%d+)(/.*)$"

local function connect()
  local trusted = context.new("TLS", false)
  local authorities = store.new()
  authorities:add(peer.ca_file)
  trusted:setStore(authorities)
  trusted:setVerify(context.VERIFY_PEER)
  local http2 = peer.protocol == "HTTP/2"
  trusted:setAlpnProtos { http2 and "h2" or "http/1.1" }
  return assert(client.connect { host = host, port = tonumber(port), tls = true, ctx = trusted, sendname = host,
    version = http2 and 2 or 1.1 })
end

local function send(connection)
  local stream = assert(connection:new_stream())
  local headers = new_headers()
  headers:append(":method", "POST")
  headers:append(":scheme", "https")
  headers:append(":authority", host .. ":" .. port)
  headers:append(":path", path)
  for name, value in pairs(peer.headers) do headers:append(name:lower(), value) end
  headers:append("content-length", ("%d"):format(#peer.body))
  assert(stream:write_headers(headers, false))
  assert(stream:write_chunk(peer.body, true))
  local response = assert(stream:get_headers())
  local body = assert(stream:get_body_as_string())
  stream:shutdown()
  assert(response:get ":status" == "200" or response:get ":status" == "201")
  return cjson.decode(body).messages[1].id
end

local connections = {}

-- Over HTTP/2 all requests share one connection; over HTTP/1.1 each worker has a connection.
local function work(count)
  local http2 = peer.protocol == "HTTP/2"
  local left, loop = count, cqueues.new()
  if http2 then connections[1] = connections[1] or connect() end
  for i = 1, http2 and peer.in_flight or peer.connections do
    loop:wrap(function()
      local place = http2 and 1 or i
      connections[place] = connections[place] or connect()
      while left > 0 do
        left = left - 1
        send(connections[place])
      end
    end)
  end
  assert(loop:loop())
end

support.run(peer, cqueues.monotime, work)
