-- The transport in a real nginx: the phases of a request in which it works, its errors for missing directives, and that
-- other requests of the worker do not wait. spec/transport/contract_spec.lua tests the requests and responses.

local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local server = require "spec.support.server"

-- The Lua module `sender` of the worker: one client, and functions that return their results as text.
local SENDER = [[
local waba = require "waba"
local sender = { client = waba.client { api_key = "a-key-that-nobody-may-see", base_url = "%s", retry = false,
  pace = false } }

function sender.send()
  local sent, err = sender.client:send("491511234567", waba.text "Hello")
  return sent and sent.id or err.kind .. ": " .. err.message .. " maybe_sent=" .. tostring(err.maybe_sent)
end

sender.outbox = waba.outbox.memory { max = 500 }
local background = waba.sender { outbox = sender.outbox, client = sender.client }

-- A message that is sent in the background, in any phase.
function sender.push(number)
  require("waba.outbox.nginx").start(background)
  local id, err = sender.outbox:put { to = "49151123" .. 1000 + (number or 0), message = waba.text "Hello" }
  return tostring(id ~= nil or err)
end

function sender.note(name, text)
  local file = assert(io.open(ngx.config.prefix() .. name, "w"))
  file:write(text)
  file:close()
end

return sender
]]

-- The body of a request is Lua code, which the worker runs; the response has the results.
local CONTENT = [[
  if ngx.var.uri == "/fast" then return ngx.say "fast" end
  ngx.req.read_body()
  local result = assert(loadstring(ngx.req.get_body_data()))()
  ngx.print(tostring(result))
]]

local LOCATIONS = [[
  location /access {
    access_by_lua_block { ngx.ctx.result = require("sender").send() }
    content_by_lua_block { ngx.print(ngx.ctx.result) }
  }
  location /rewrite {
    rewrite_by_lua_block { ngx.ctx.result = require("sender").send() }
    content_by_lua_block { ngx.print(ngx.ctx.result) }
  }
  location /header {
    header_filter_by_lua_block { ngx.header.result = require("sender").send() }
    content_by_lua_block { ngx.print "" }
  }
  location /push {
    log_by_lua_block { require("sender").push() }
    content_by_lua_block { ngx.print "" }
  }
  location /in-log {
    log_by_lua_block { require("sender").in_log() }
    content_by_lua_block { ngx.print "" }
  }
  location /log {
    log_by_lua_block { require("sender").note("log", require("sender").send()) }
    content_by_lua_block { ngx.print "" }
  }
]]

describe("the transport in nginx", function()
  local folder, gateway, program, plain

  local function start(http)
    local port
    folder, port, plain = process.folder(), process.free_port(), process.free_port()
    nginx.certify(folder)
    folder:file("sender.lua", SENDER:format(gateway.url))
    program = nginx.start(folder, nginx.configuration {
      port = port, plain = plain, workers = 1, content = CONTENT, server = LOCATIONS, http = http,
    }, port)
  end

  local function stop(signal)
    program:stop(signal)
    assert.is_nil(folder:read("error.log"):find("a-key-that-nobody-may-see", 1, true))
    folder:remove()
  end

  local function ask(path, lua)
    local status, headers, body = nginx.request(("http://127.0.0.1:%d%s"):format(plain, path), { body = lua or "" })
    if status ~= 200 then error(folder:read "error.log") end
    return body, headers
  end

  local function run(lua) return (ask("/", lua)) end

  local function trusting()
    return ("lua_ssl_trusted_certificate %s;\n%s"):format(gateway.ca_file,
      'init_worker_by_lua_block { require("sender").note("init_worker", require("sender").send()) }')
  end

  setup(function()
    gateway = server.start { responses = { ["/v1/messages"] = { status = 201, body = '{"messages":[{"id":"gBEG"}]}' } } }
    start(trusting())
  end)

  teardown(function()
    gateway:forget()
    run 'for _ = 1, 50 do require("sender").push() end'
    stop "QUIT"
    assert.equal(50, gateway:count "/v1/messages") -- the worker has sent all messages before its end
    gateway:stop()
  end)

  before_each(function()
    gateway:forget()
    gateway:respond("/v1/messages", { status = 201, body = '{"messages":[{"id":"gBEG"}]}' })
  end)

  it("is detected, and libcurl is not loaded", function()
    assert.equal("gBEG", run 'return require("sender").send()')
    assert.equal("nil", run 'require("waba").sleep(0.001) return package.loaded["waba.curl"]')
    assert.equal("a-key-that-nobody-may-see", gateway:received("/v1/messages")[1].headers["d360-api-key"])
  end)

  it("lets no code read the key from a client", function()
    run 'assert(require("sender").send() == "gBEG")'
    assert.equal("", run [==[
      local core, client = require "waba.core", require("sender").client
      local shown, seen = {}, {}
      local function look(value, path)
        if type(value) == "string" then
          if value:find("a-key-that-nobody-may-see", 1, true) then shown[#shown + 1] = path end
        elseif (type(value) == "table" or type(value) == "userdata") and not seen[value] then
          seen[value] = true
          look(tostring(value), path .. "<tostring>")
          local class = getmetatable(value)
          look(class, path .. "<metatable>")
          if type(value) == "userdata" then
            local has_bytes, bytes = pcall(function() return value:bytes(0) end)
            if has_bytes then look(bytes, path .. ":bytes()") end
          else
            for name, member in next, value do
              look(name, path .. "[key]")
              look(member, path .. "." .. tostring(name))
            end
          end
        end
      end
      look(package.loaded, "package.loaded")
      local origin = core.origin(client.base_url)
      local host = origin:match "//(.*)"
      look({ pcall(core.ready_head, "GET", "/", host, {}, client.credentials, client.base_url) }, "ready_head")
      return table.concat(shown, "\n")
    ]==])
  end)

  it("has no head with the key in memory while a function of the request runs", function()
    assert.equal("shown: ", run [==[
      local calls, shown = 0, {}
      require("sender").client:request { method = "GET", path = "/v1/health" }
      require("sender").client.media:upload { type = "image/png", size = 2, reader = function()
        calls = calls + 1
        for level = 1, 40 do
          if not debug.getinfo(level) then break end
          local i = 1
          local name, value = debug.getlocal(level, i)
          while name do
            if type(value) == "string" and value:find("a-key-that-nobody-may-see", 1, true) then
              shown[#shown + 1] = level .. ":" .. name
            end
            i = i + 1
            name, value = debug.getlocal(level, i)
          end
        end
        return calls <= 2 and "x" or nil
      end }
      assert(calls > 1)
      return "shown: " .. table.concat(shown, " ")
    ]==])
    assert.equal("a-key-that-nobody-may-see", gateway:received("/v1/media")[1].headers["d360-api-key"])
  end)

  it("refuses credentials of another transport", function()
    local result = run [==[
      local client = require("sender").client
      local inner = client.transport
      local outer = require("waba").client { api_key = "another-key", base_url = client.base_url, retry = false, pace = false,
        transport = { send = function(_, request) return inner:send(request) end } }
      local sent, err = outer:send("491511234567", require("waba").text "Hello")
      local passing = require("waba").client { api_key = "another-key", base_url = client.base_url, retry = false, pace = false,
        transport = { send = function(_, request) return inner:send(request) end,
          credentials = function(_, secret) return inner:credentials(secret) end } }
      return err.kind .. ": " .. err.message .. "; " .. passing:send("491511234567", require("waba").text "Hello").id
    ]==]
    assert.matches("^invalid: .*not made by this transport.*; gBEG$", result)
    assert.equal("another-key", gateway:received("/v1/messages")[1].headers["d360-api-key"])
  end)

  it("sends in the phases that may wait, in timers and in light threads", function()
    assert.equal("gBEG", (ask "/access"))
    assert.equal("gBEG", (ask "/rewrite"))
    assert.equal("gBEG", run 'return select(2, ngx.thread.wait(ngx.thread.spawn(require("sender").send)))')
    run 'ngx.timer.at(0, function() local sender = require "sender" sender.note("timer", sender.send()) end)'
    process.wait_for(function() return folder:read "timer" == "gBEG" end, "the timer")
    assert.equal(4, gateway:count "/v1/messages")
  end)

  it("refuses sends in other phases, names the alternative, and sends nothing", function()
    local _, headers = ask "/header"
    ask "/log"
    -- The log phase begins after the response.
    local logged = process.wait_for(function()
      local text = folder:read "log"
      return text ~= "" and text
    end, "the log phase")
    for phase, result in pairs { header_filter = headers:get "result", log = logged, init_worker = folder:read "init_worker" } do
      assert.truthy(result:find("invalid: code in nginx's phase " .. phase .. " can't wait", 1, true), result)
      assert.truthy(result:find("from a timer (ngx.timer.at(0, …))", 1, true))
      assert.truthy(result:find("maybe_sent=false", 1, true))
    end
    assert.equal(0, gateway:count())
  end)

  it("refuses sends in other phases before they take a slot of the rate limiter", function()
    run [[
      local sender, waba = require "sender", require "waba"
      local client = waba.client { api_key = "a-limited-key", base_url = sender.client.base_url, retry = false,
        pace = { messages = { rate = 0.01, burst = 1 }, pair = false } }
      function sender.in_log()
        local kinds = {}
        for i = 1, 3 do kinds[i] = select(2, client:send("491511234567", waba.text "Hello")).kind end
        sender.note("limited", table.concat(kinds, " "))
      end
      function sender.limited()
        local sent, err = client:send("491511234567", waba.text "Hello", { timeout = 5 })
        return sent and sent.id or err.kind
      end
    ]]
    ask "/in-log"
    local kinds = process.wait_for(function()
      local text = folder:read "limited"
      return text ~= "" and text
    end, "the log phase")
    assert.equal("invalid invalid invalid", kinds)
    assert.equal("gBEG timeout", run 'local limited = require("sender").limited return limited() .. " " .. limited()')
  end)

  it("requests the abilities of later phases from nginx", function()
    for _, phase in ipairs { "precontent", "proxy_ssl_cert", "proxy_ssl_verify" } do
      assert.equal("gBEG", run(([[
        local sender, waba = require "sender", require "waba"
        local client = waba.client { api_key = "k-%s", base_url = sender.client.base_url,
          pace = { messages = { rate = 50, burst = 1 }, pair = false } }
        local get_phase, sent, err = ngx.get_phase, nil, nil
        ngx.get_phase = function() return "%s" end
        for _ = 1, 2 do sent, err = client:send("491511234567", waba.text "Hello") end -- the second message waits for its slot
        ngx.get_phase = get_phase
        return sent and sent.id or err
      ]]):format(phase, phase)))
    end
  end)

  it("refuses a send inside a C function, and the worker continues", function()
    local result = run [[
      local result
      string.gsub("x", ".", function() result = require("sender").send() end)
      return result
    ]]
    assert.truthy(result:find("invalid: a coroutine cannot wait inside a function that C code calls", 1, true), result)
    assert.equal(0, gateway:count())
    assert.equal("gBEG", run 'return require("sender").send()')
  end)

  it("reports a compressed response as unreadable, with the usual certainty of the result", function()
    local zipped = { gzip = true, status = 201, body = '{"messages":[{"id":"gBEG"}]}' }
    gateway:respond("/v1/messages", zipped, { gzip = true, status = 401, body = '{"errors":[{"title":"no"}]}' })
    local result = run 'return require("sender").send()'
    assert.truthy(result:find("^protocol: the gateway accepted the request %(HTTP 201%)"), result)
    assert.truthy(result:find("Content-Encoding: gzip", 1, true) and result:find("maybe_sent=true", 1, true), result)
    result = run 'return require("sender").send()'
    assert.truthy(result:find("^auth: the gateway responded with HTTP 401 .*; its text is compressed"), result)
    assert.truthy(result:find("maybe_sent=false", 1, true), result)
  end)

  it("reuses its connections", function()
    run 'for _ = 1, 20 do assert(require("sender").send() == "gBEG") end'
    local connections = {}
    for _, request in ipairs(gateway:received "/v1/messages") do connections[request.connection] = true end
    assert.is_nil(next(connections, next(connections)))
  end)

  it("sends with the key of each client over shared connections, also after another client was closed", function()
    run([[
      local waba, clients, threads = require "waba", {}, {}
      for i = 1, 20 do
        clients[i] = waba.client { api_key = "key " .. i, base_url = "]] .. gateway.url .. [[", retry = false, pace = false }
        assert(clients[i].transport == clients[1].transport)
      end
      for i = 1, 60 do
        local number = i % 20 + 1
        threads[i] = ngx.thread.spawn(function()
          if i == 41 then clients[1]:close() end
          if not clients[number].closed then
            assert(clients[number]:send("491511234567", waba.text("from key " .. number .. ".")))
          end
        end)
      end
      for _, thread in ipairs(threads) do assert(ngx.thread.wait(thread)) end
    ]])
    local count = 0
    for _, request in ipairs(gateway:received "/v1/messages") do
      local key = request.headers["d360-api-key"]
      if key:find "^key" then
        assert.truthy(request.body:find("from " .. key .. ".", 1, true), request.body)
        count = count + 1
      end
    end
    assert.equal(59, count)
  end)

  it("does not block other requests while many sends wait", function()
    gateway:respond("/v1/messages", { status = 201, body = '{"messages":[{"id":"late"}]}', held = true })
    run [[
      ngx.timer.at(0, function()
        local sender, threads, ends = require "sender", {}, 0
        for i = 1, 100 do
          threads[i] = ngx.thread.spawn(function() if sender.send() == "late" then ends = ends + 1 end end)
        end
        for _, thread in ipairs(threads) do ngx.thread.wait(thread) end
        sender.note("ends", ends)
      end)
    ]]
    process.wait_for(function() return gateway:count "/v1/messages" == 100 end, "all requests")
    assert.equal("fast\n", (ask "/fast"))
    assert.is_nil(folder:read "ends")
    gateway:release()
    process.wait_for(function() return folder:read "ends" == "100" end, "all responses")
  end)

  it("works in the background, in one timer, from any phase and without loss", function()
    for _ = 1, 10 do ask "/push" end
    assert.equal("true", run 'local pushed for n = 1, 400 do pushed = require("sender").push(n) end return pushed')
    process.wait_for(function() return gateway:count "/v1/messages" == 410 end, "all messages", 20)
    assert.equal("0 1", run [[
      local sender = require "sender"
      return sender.outbox:depth() .. " " .. ngx.timer.running_count() + ngx.timer.pending_count()
    ]])
  end)

  it("reports that the outbox is full, and continues afterwards", function()
    local result = run [[
      local push, results = require("sender").push, {}
      for n = 1, 502 do results[n] = push(n) end -- the sender's coroutine does not run during the loop
      return results[500] .. " " .. results[501] .. " " .. results[502]
    ]]
    assert.truthy(result:find("^true unavailable: the outbox is full[^\n]* unavailable: the outbox is full"), result)
    process.wait_for(function() return run 'return require("sender").outbox:depth()' == "0" end, "all messages", 20)
    assert.equal("true", run 'return require("sender").push()')
    process.wait_for(function() return run 'return require("sender").outbox:depth()' == "0" end, "the last message")
  end)

  it("does not change the application's cjson", function()
    gateway:respond("/v1/contacts", { body = '{"a":null,"b":12345678901234567}' })
    assert.equal("true true 12345678901234567 null", run [[
      local cjson, json = require "cjson", require("sender").client:request { path = "/v1/contacts" }
      return tostring(json.a == ngx.null) .. " " .. tostring(cjson.null == ngx.null) .. " " .. json.b .. " " .. cjson.encode(ngx.null)
    ]])
  end)

  it("refuses options for which nginx has a directive", function()
    for option, directive in pairs {
      ['ca_file = "x"'] = "lua_ssl_trusted_certificate", ['proxy = "http://x"'] = "proxy_pass",
      ['loop = "native"'] = "nginx itself is the event loop", ["max_connections = 5"] = "lua_socket_pool_size",
      ['transport = "curl"'] = "block the whole worker",
    } do
      local result = run(('return select(2, pcall(require("waba").client, { api_key = "k", %s }))'):format(option))
      assert.truthy(result:find(directive, 1, true), result)
    end
    assert.truthy(run('return select(2, pcall(function() require("waba").run(print) end))'):find("ngx.thread.spawn", 1, true))
    assert.equal("nil", run 'return package.loaded["waba.curl"]')
  end)

  it("leaves no file if its light thread is killed", function()
    gateway:respond("/media", { body = "0123456789", times = 20000, pieces = 2, pause = 0.2 })
    local result = run(([[
      local transport, path = require("waba.transport").of {}, ngx.config.prefix() .. "media"
      local thread = ngx.thread.spawn(function()
        transport:send { head = { method = "GET", url = "%s/media", headers = {}, idempotent = true }, into = { file = path } }
      end)
      ngx.sleep(0.05)
      local function parts() return io.popen("ls " .. path .. "*.part 2>/dev/null | wc -l"):read "*n" end
      local before = parts()
      ngx.thread.kill(thread)
      thread = nil
      collectgarbage() collectgarbage()
      return before .. " " .. parts()
    ]]):format(gateway.url))
    assert.equal("1 0", result)
  end)

  it("refuses TLS below 1.2, with any configuration of nginx", function()
    local with, old = { folder, program, plain }, process.free_port()
    start(('lua_ssl_trusted_certificate ca.pem;\nlua_ssl_protocols TLSv1 TLSv1.1 TLSv1.2;\n'
      .. 'lua_ssl_ciphers "ALL:@SECLEVEL=0";'))
    local openssl = process.start(("openssl s_server -accept %d -cert %s -key %s -tls1_1 -cipher ALL:@SECLEVEL=0 -www"):format(
      old, folder:file "cert.pem", folder:file "key.pem"), folder:file "openssl.log")
    process.wait_for(function() return process.listens(old) end, "openssl to listen")
    local result = run(([[
      local client = require("waba").client { api_key = "k", base_url = "https://localhost:%d", retry = false }
      local sent, err = client:send("491511234567", require("waba").text "Hello")
      return err.kind .. ": " .. err.message .. " maybe_sent=" .. tostring(err.maybe_sent)
    ]]):format(old))
    openssl:stop()
    stop()
    folder, program, plain = with[1], with[2], with[3]
    assert.truthy(result:find("tls: no TLS with localhost:%d+: its version is TLS 1.1; TLS 1.2 or newer is needed"), result)
    assert.truthy(result:find("maybe_sent=false", 1, true))
  end)

  it("omits the default port in Host, as libcurl does", function()
    assert.equal("gateway.example gateway.example:8443 [::1]", run [[
      local name, tcp, hosts = "waba.transport.ngx", ngx.socket.tcp, {}
      local loaded = package.loaded[name]
      package.loaded[name] = nil
      function ngx.socket.tcp()
        return {
          settimeouts = function() end, settimeout = function() end, connect = function() return 1 end,
          getreusedtimes = function() return 0 end, sslhandshake = function() return true end, close = function() end,
          send = function(_, bytes)
            hosts[#hosts + 1] = table.concat(type(bytes) == "table" and bytes or { bytes }):match "\r\n[Hh]ost: (.-)\r\n"
            return nil, "closed here"
          end,
          receiveany = function() return nil, "closed" end,
        }
      end
      local transport = require(name).new()
      for _, authority in ipairs { "Gateway.example:443", "gateway.example:8443", "[::1]:443" } do
        transport:send { head = { method = "GET", url = "https://" .. authority .. "/x", headers = {}, idempotent = true } }
      end
      ngx.socket.tcp, package.loaded[name] = tcp, loaded
      return table.concat(hosts, " ")
    ]])
  end)

  it("names the missing directive", function()
    local with = { folder, program, plain }
    start()
    local result = run 'return require("sender").send()'
    assert.truthy(result:find("^tls: "), result)
    assert.truthy(result:find("add the directive lua_ssl_trusted_certificate", 1, true))
    assert.truthy(result:find("maybe_sent=false", 1, true))
    result = run [[
      local client = require("waba").client { api_key = "k", base_url = "https://gateway.example", retry = false }
      return select(2, client:phone_number())
    ]]
    assert.truthy(result:find("add the directive resolver", 1, true), result)
    assert.equal(0, gateway:count())
    stop()
    folder, program, plain = with[1], with[2], with[3]
  end)
end)
