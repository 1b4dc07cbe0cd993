-- The server of the benchmarks: an nginx on loopback that sends one fixed response to every POST over TLS. Requests to
-- paths below /50ms get the response after 50 milliseconds. The server has one port for HTTP/1.1 and another port for
-- HTTP/2.

local nginx = require "spec.support.nginx"
local process = require "spec.support.process"

---@class bench.Stub
---@field http1 string    base URL for HTTP/1.1
---@field http2 string    base URL for HTTP/2
---@field ca_file string  the certificate authority to trust
local Stub = {}
Stub.__index = Stub

local stub = {}

-- The gateway's response to a message (on-premise.md, section 2.2).
local ANSWER = '{"contacts":[{"input":"491511234567","wa_id":"491511234567"}],'
  .. '"messages":[{"id":"gBGHSRURIzRWeAIJm0T7xkQz1pRd"}],"meta":{"api_status":"stable","version":"v2.53.1"}}'

-- The directive `return` is not used, because it responds before the body has arrived, and HTTP/2 clients may treat
-- this as an error.
local CONFIGURATION = [[
load_module MODULES/ndk_http_module.so;
load_module MODULES/ngx_http_lua_module.so;
pid nginx.pid;
error_log error.log;
worker_processes 1;
events { worker_connections 1024; }
http {
  access_log off;
  default_type application/json;
  keepalive_requests 1000000000;
  keepalive_time 24h;
  keepalive_timeout 1h;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  ssl_certificate cert.pem;
  ssl_certificate_key key.pem;
  ssl_protocols TLSv1.2 TLSv1.3;
  server {
    listen 127.0.0.1:HTTP1 ssl;
    listen 127.0.0.1:HTTP2 ssl http2;
    location ~ ^/(?:(\d+)ms/)? {
      content_by_lua_block {
        if ngx.var[1] then ngx.sleep(ngx.var[1] / 1000) end
        ngx.req.read_body()
        ngx.status = 201
        ngx.header.content_length = LENGTH
        ngx.print('ANSWER')
      }
    }
  }
}
]]

function stub.start()
  local folder, http1, http2 = process.folder(), process.free_port(), process.free_port()
  while http2 == http1 do http2 = process.free_port() end
  nginx.certify(folder)
  local program = nginx.start(folder, (CONFIGURATION:gsub("%u+%d?", {
    MODULES = nginx.modules, HTTP1 = http1, HTTP2 = http2, ANSWER = ANSWER, LENGTH = #ANSWER,
  })), http1)
  return setmetatable({
    folder = folder,
    program = program,
    http1 = "https://127.0.0.1:" .. http1,
    http2 = "https://127.0.0.1:" .. http2,
    ca_file = folder:file "ca.pem",
  }, Stub)
end

--- Returns the base URL for responses after this latency.
---@param protocol "http1"|"http2"
---@param latency number  seconds
function Stub:url(protocol, latency)
  return self[protocol] .. (latency > 0 and ("/%.0fms"):format(latency * 1000) or "")
end

--- Returns the CPU seconds of nginx's worker; 0 if the system does not report them.
function Stub:cpu()
  local worker = process.run("pgrep -P " .. self.folder:read "nginx.pid"):match "^%d+$"
  local file = worker and io.open("/proc/" .. worker .. "/stat")
  if not file then return 0 end
  -- After the name in parentheses /proc/<pid>/stat has the state, ten numbers, and the user and system time in
  -- hundredths of a second.
  local user, system = file:read("*a"):match "%) %a %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%d+) (%d+)"
  file:close()
  return (user + system) / 100
end

function Stub:stop()
  self.program:stop()
  self.folder:remove()
end

return stub
