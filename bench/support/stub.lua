-- The server of the benchmarks: an nginx on loopback that sends one fixed response to every POST over TLS. Requests to
-- paths below /50ms get the response after 50 milliseconds. The server has one port for HTTP/1.1 and another port for
-- HTTP/2.

local certificate = require "waba.emulator.certificate"
local socket = require "cqueues.socket"

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
  ssl_certificate server.pem;
  ssl_certificate_key server.key;
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

local function output_of(command)
  local pipe = assert(io.popen(command))
  local output = pipe:read "*a"
  pipe:close()
  return (output:gsub("%s+$", ""))
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  assert(file:write(text))
  assert(file:close())
end

-- Returns two different free ports.
local function free_ports()
  local first = assert(socket.listen { host = "127.0.0.1", port = 0 })
  local second = assert(socket.listen { host = "127.0.0.1", port = 0 })
  first:listen()
  second:listen()
  local _, _, first_port = first:localname()
  local _, _, second_port = second:localname()
  first:close()
  second:close()
  return first_port, second_port
end

-- Returns the folder of nginx's modules.
local function modules_folder()
  local version = output_of "PATH=$PATH:/usr/sbin nginx -V 2>&1"
  return version:match "%-%-modules%-path=(%S+)" or "modules"
end

local function write_files(folder, http1, http2)
  local authority = assert(certificate.authority())
  local leaf = assert(certificate.issue(authority))
  write(folder .. "/ca.pem", authority.certificate)
  write(folder .. "/server.pem", leaf.certificate)
  write(folder .. "/server.key", leaf.key)
  write(folder .. "/nginx.conf", (CONFIGURATION:gsub("%u+%d?", {
    MODULES = modules_folder(), HTTP1 = http1, HTTP2 = http2, ANSWER = ANSWER, LENGTH = #ANSWER,
  })))
end

-- Debian installs nginx in a folder that is only in the PATH of root.
local function start_nginx(folder)
  local command = ("PATH=$PATH:/usr/sbin nginx -p '%s/' -c nginx.conf -e error.log >'%s/nginx.log' 2>&1")
    :format(folder, folder)
  local status = os.execute(command)
  return status == true or status == 0
end

--- Starts the server.
function stub.start()
  local folder = output_of "mktemp -d"
  local http1, http2 = free_ports()
  write_files(folder, http1, http2)
  if not start_nginx(folder) then
    local log = output_of(("cat '%s/nginx.log'"):format(folder))
    os.execute(("rm -rf '%s'"):format(folder))
    error("nginx did not start: " .. log, 0)
  end
  return setmetatable({
    folder = folder,
    http1 = "https://127.0.0.1:" .. http1,
    http2 = "https://127.0.0.1:" .. http2,
    ca_file = folder .. "/ca.pem",
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
  local worker = output_of(("pgrep -P \"$(cat '%s/nginx.pid')\""):format(self.folder)):match "^%d+$"
  local file = worker and io.open("/proc/" .. worker .. "/stat")
  if not file then return 0 end
  -- After the name in parentheses /proc/<pid>/stat has the state, ten numbers, and the user and system time in
  -- hundredths of a second.
  local user, system = file:read("*a"):match "%) %a %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%d+) (%d+)"
  file:close()
  return (user + system) / 100
end

--- Stops the server and removes its files.
function Stub:stop()
  os.execute(("kill \"$(cat '%s/nginx.pid')\" && rm -rf '%s'"):format(self.folder, self.folder))
end

return stub
