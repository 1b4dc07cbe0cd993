-- Starts nginx with its Lua module and the library built for LuaJIT, and sends requests to it with lua-http.

local process = require "spec.support.process"

local nginx = {}

local ROOT = process.run "pwd"
-- Debian installs nginx in a folder that is only in the PATH of root.
local NGINX = 'PATH="$PATH:/usr/sbin" nginx'

--- The folder of nginx's modules.
nginx.modules = process.run(NGINX .. [[ -V 2>&1 | tr ' ' '\n' | sed -n 's/^--modules-path=//p']])

--- The values of nginx's directives lua_package_path and lua_package_cpath.
nginx.package_path = ("R/lua/?.lua;R/lua/?/init.lua;R/emulator/?.lua;R/emulator/?/init.lua;"):gsub("R", ROOT)
-- LUAJIT_CPATH names another folder for the C core built for LuaJIT.
nginx.package_cpath = (os.getenv "LUAJIT_CPATH" or ROOT .. "/build/luajit/?.so") .. ";"

--- Writes a certificate for localhost into a folder: cert.pem, key.pem, and its authority in ca.pem.
function nginx.certify(folder)
  local certificate = require "waba.emulator.certificate"
  local authority = certificate.authority { name = "spec" }
  local issued = certificate.issue(authority, { hosts = { "localhost", "127.0.0.1" } })
  folder:file("cert.pem", issued.certificate)
  folder:file("key.pem", issued.key)
  folder:file("ca.pem", authority.certificate)
end

--- Starts nginx with a configuration, in a folder that contains its certificate. `server:stop(signal)` stops it.
---@param environment? string  arguments of the command `env`
function nginx.start(folder, configuration, port, environment)
  folder:file("nginx.conf", configuration)
  return nginx.start_file(folder, "nginx.conf", port, environment)
end

--- Starts nginx with a configuration file that is in the folder.
---@param environment? string
---@param program? string  a shell command, by default Debian's nginx
function nginx.start_file(folder, name, port, environment, program)
  local seconds = program and 60 or 10 -- a program such as valgrind starts nginx slowly
  local command = ("env %s %s -p %s -c %s -g %s"):format(environment or "TZ=", program or NGINX,
    process.quote(folder.path), name, process.quote "daemon off;")
  program = process.start(command, folder:file "nginx.log")
  -- All ports are checked, because nginx opens one after the other.
  local ports = { port }
  for other in (folder:read(name) or ""):gmatch "listen 127%.0%.0%.1:(%d+)" do ports[#ports + 1] = tonumber(other) end
  local ok, message = pcall(process.wait_for, function()
    for _, each in ipairs(ports) do
      if not process.listens(each) then return false end
    end
    return true
  end, "nginx to listen", seconds)
  if not ok then
    program:stop("KILL")
    error(message .. "\n" .. program:output(), 2)
  end
  return program
end

--- Returns a configuration of nginx with Lua code for `init_worker` and `content`, and further directives.
---@param parts { port: integer, content: string, http: string?, server: string?, workers: integer?, plain: integer? }
function nginx.configuration(parts)
  local user = process.run "id -u" == "0" and "user root;" or ""
  return ([[
load_module %s/ndk_http_module.so;
load_module %s/ngx_http_lua_module.so;
%s
worker_processes %d;
worker_shutdown_timeout 20s;
error_log error.log notice;
pid nginx.pid;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  lua_package_path "%s$prefix/?.lua;;";
  lua_package_cpath "%s;";
  client_max_body_size 8m;
  %s
  server {
    listen 127.0.0.1:%d ssl http2 reuseport;
    %s
    ssl_certificate cert.pem;
    ssl_certificate_key key.pem;
    %s
    location / { content_by_lua_block { %s } }
  }
}
]]):format(nginx.modules, nginx.modules, user, parts.workers or 2, nginx.package_path, nginx.package_cpath, parts.http or "",
    parts.port, parts.plain and ("listen 127.0.0.1:%d;"):format(parts.plain) or "", parts.server or "", parts.content)
end

local HTTP2_PROXY = [[
%s
worker_processes 1;
worker_shutdown_timeout 1s;
error_log error.log;
pid nginx.pid;
events { worker_connections 2048; }
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  client_max_body_size 0; proxy_request_buffering off; proxy_buffering off; proxy_http_version 1.1;
  large_client_header_buffers 8 64k;
  server {
    listen 127.0.0.1:%d ssl http2;
    ssl_certificate cert.pem;
    ssl_certificate_key key.pem;
    location / { proxy_pass %s; proxy_set_header Host $http_host; }
  }
}
]]

--- Starts an nginx that accepts HTTP/2 and passes the requests to a server of HTTP/1.1.
---@param target string  the URL of the server, without a path
---@return { url: string, ca_file: string, stop: fun() }
function nginx.http2_proxy(target)
  local files, port = require("spec.support.folder").new(), process.free_port()
  nginx.certify(files)
  local user = process.run "id -u" == "0" and "user root;" or ""
  local program = nginx.start(files, HTTP2_PROXY:format(user, port, target), port)
  local function stop()
    program:stop()
    files:remove()
  end
  return { url = "https://localhost:" .. port, ca_file = files:file "ca.pem", stop = stop }
end

local contexts = {}

local function trusting(ca_file)
  if not contexts[ca_file] then
    local context = require("http.tls").new_client_context()
    local trusted = require("openssl.x509.store").new()
    trusted:add(ca_file)
    context:setStore(trusted)
    context:setVerify(require("openssl.ssl.context").VERIFY_PEER)
    contexts[ca_file] = context
  end
  return contexts[ca_file]
end

--- Sends one request. Returns the status, the headers and the body, or nil and a message if there was no response.
---@param options? { method: string?, body: string?, headers: table?, user: string?, password: string?, version: number?, ca_file: string? }
function nginx.request(url, options)
  options = options or {}
  local request = require("http.request").new_from_uri(url)
  request.follow_redirects = false
  request.version = options.version
  if options.ca_file then request.ctx = trusting(options.ca_file) end
  local head = request.headers
  head:upsert(":method", options.method or "POST")
  for name, value in pairs(options.headers or {}) do head:append(name, value) end
  if options.user then
    head:upsert("authorization", require("waba.encoding").basic(options.user, options.password))
  end
  if options.body then
    request:set_body(options.body)
    head:delete "expect"
  end
  local response, stream = request:go(10)
  if not response then return nil, stream end
  local body = stream:get_body_as_string(10)
  stream:shutdown()
  return tonumber(response:get ":status"), response, body
end

return nginx
