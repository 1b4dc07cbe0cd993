-- The homes of a transport, for the contract spec: each makes exchanges (spec/support/exchange.lua), many
-- at once where it can. `home.open(ca_file)` gives a home; `home:make(list)` a list of what was told;
-- `home:close()`.

local exchange = require "spec.support.exchange"
local nginx = require "spec.support.nginx"
local plain = require "spec.support.plain"
local process = require "spec.support.process"
local runners = require "spec.support.runners"

local homes = {}

-- luv does not bear being opened twice in a process, and busted forgets modules between spec files.
local luv_found, luv = pcall(require, "luv")
if luv_found then package.preload.luv = function() return luv end end

homes.runners = runners

local function make_all(transport, run, list)
  local told, functions = {}, {}
  for i, asked in ipairs(list) do
    functions[i] = function() told[i] = exchange.make(transport, asked) end
  end
  run(functions)
  return told
end

-- A transport over libcurl in an event loop of this process.
local function in_loop(name)
  return {
    name = "curl, " .. name, decompresses = true, side_by_side = name ~= "blocking",
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

-- What answers in the worker of nginx: makes what the body asks for, in light threads.
local CONTENT = [[
  local exchange, plain = require "spec.support.exchange", require "spec.support.plain"
  ngx.req.read_body()
  local file = ngx.req.get_body_file()
  local text = file and assert(io.open(file, "rb")):read "*a" or ngx.req.get_body_data()
  local list, threads, told = plain.read(text), {}, {}
  local transport = require("waba.transport").of {}
  for i, asked in ipairs(list) do
    threads[i] = ngx.thread.spawn(function() told[i] = exchange.make(transport, asked) end)
  end
  for i, thread in ipairs(threads) do
    assert(ngx.thread.wait(thread))
    if told[i].response then assert(told[i].response.headers) end -- a plain table from here on
  end
  ngx.print(plain.write { told = told, curl = package.loaded["waba.curl"] ~= nil })
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

local in_nginx = { name = "ngx", side_by_side = true }

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
      local status, text = post(control, plain.write(list))
      if status ~= 200 then error(folder:read "error.log") end
      local answer = plain.read(text)
      assert(not answer.curl, "waba.curl was loaded in nginx")
      return answer.told
    end,
    close = function()
      program:stop()
      folder:remove()
    end,
  }
end

homes.all = {
  in_loop "blocking", in_loop "native", in_loop "cqueues", in_loop "luv", in_loop "copas", in_nginx,
}

return homes
