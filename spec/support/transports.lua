-- The environments of a transport for spec/transport/contract_spec.lua: libcurl in each event loop, and cosockets in a
-- worker of nginx. `environment.open(ca_file)` returns an object with two methods: `make(list)` makes the exchanges of
-- a list (spec/support/exchange.lua), concurrently if possible, and returns their results; `close()` ends the
-- environment.

local exchange = require "spec.support.exchange"
local nginx = require "spec.support.nginx"
local plain_data = require "spec.support.plain_data"
local process = require "spec.support.process"
local runners = require "spec.support.runners"

local transports = {}

-- luv can be loaded only once in a process, but busted unloads modules between spec files.
local luv_found, luv = pcall(require, "luv")
if luv_found then package.preload.luv = function() return luv end end

transports.runners = runners

local function make_all(transport, run, list)
  local results, functions = {}, {}
  for i, described in ipairs(list) do
    functions[i] = function() results[i] = exchange.make(transport, described) end
  end
  run(functions)
  return results
end

-- Returns an environment: the libcurl transport in an event loop of this process.
local function in_loop(name)
  return {
    name = "curl, " .. name, decompresses = true, concurrent = name ~= "blocking",
    open = function(ca_file)
      local transport = require("waba.transport.curl").new {
        ca_file = ca_file, loop = name == "luv" and name or nil, max_connections = 64,
      }
      return {
        make = function(_, list) return make_all(transport, runners[name], list) end,
        close = function() transport:close() end,
      }
    end,
  }
end

-- Handles a request in the worker of nginx: makes the exchanges that the request's body describes in light threads.
local CONTENT = [[
  local exchange, plain_data = require "spec.support.exchange", require "spec.support.plain_data"
  ngx.req.read_body()
  local file = ngx.req.get_body_file()
  local text = file and assert(io.open(file, "rb")):read "*a" or ngx.req.get_body_data()
  local list, threads, results = plain_data.read(text), {}, {}
  local transport = require("waba.transport").of {}
  for i, described in ipairs(list) do
    threads[i] = ngx.thread.spawn(function() results[i] = exchange.make(transport, described) end)
  end
  for i, thread in ipairs(threads) do
    assert(ngx.thread.wait(thread))
    if results[i].response then assert(results[i].response.headers) end -- reading the headers makes them a plain table
  end
  ngx.print(plain_data.write { results = results, curl = package.loaded["waba.curl"] ~= nil })
]]

local function post(port, body)
  local socket = require("socket").tcp()
  socket:settimeout(60)
  assert(socket:connect("127.0.0.1", port))
  assert(socket:send(("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"):format(
    #body, body)))
  local status = assert(socket:receive "*l"):match "%d%d%d"
  local chunked
  for line in function() return socket:receive "*l" end do
    if line == "" then break end
    chunked = chunked or line:lower():find "chunked"
  end
  local parts = {}
  while chunked do
    local size = tonumber(socket:receive "*l", 16)
    if size == 0 then break end
    parts[#parts + 1] = socket:receive(size)
    socket:receive "*l"
  end
  socket:close()
  return tonumber(status), table.concat(parts)
end

local in_nginx = { name = "ngx", concurrent = true }

function in_nginx.open(ca_file)
  local folder, port, control = process.folder(), process.free_port(), process.free_port()
  nginx.certify(folder)
  process.run(("ln -s %s %s"):format(process.quote(process.run "pwd" .. "/spec"), process.quote(folder:file "spec")))
  local program = nginx.start(folder, nginx.configuration {
    port = port, plain = control, workers = 1,
    content = CONTENT,
    http = ("lua_ssl_trusted_certificate %s;\n  lua_ssl_verify_depth 3;"):format(ca_file),
    server = "client_body_buffer_size 8m;",
  }, port)
  return {
    make = function(_, list)
      local status, text = post(control, plain_data.write(list))
      if status ~= 200 then error(folder:read "error.log") end
      local response = plain_data.read(text)
      assert(not response.curl, "waba.curl was loaded in nginx")
      return response.results
    end,
    close = function()
      program:stop()
      folder:remove()
    end,
  }
end

transports.all = {
  in_loop "blocking", in_loop "native", in_loop "cqueues", in_loop "luv", in_loop "copas", in_nginx,
}

return transports
