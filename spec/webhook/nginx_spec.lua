-- The receiver in a real nginx with two worker processes, TLS, HTTP/1.1 and HTTP/2. nginx runs the library with LuaJIT
-- under any interpreter of the specs, so this spec runs under LuaJIT only.

if not rawget(_G, "jit") then return end

local core = require "waba.core"
local encoding = require "waba.encoding"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local redis = require "spec.support.redis"
local sqlite = require "spec.support.sqlite"
local waba = require "waba"
local webhooks = require "spec.support.webhooks"

local body_of = webhooks.texts

-- The Lua module `bot` of a worker process: a receiver whose text handler writes a line into the file `begun`, waits
-- until the file `gate` exists and then writes a line into the file `handled`. `%s` stands for further options of the
-- receiver.
local BOT = [[
local waba = require "waba"
local prefix = ngx.config.prefix()

local function exists(name)
  local file = io.open(prefix .. name)
  if file then file:close() end
  return file ~= nil
end

local function note(name, event)
  local file = assert(io.open(prefix .. name, "a"))
  file:write(event.id, " ", ngx.worker.id(), "\n")
  file:close()
end

return waba.receiver {
  user = "u", password = { "old", "p" }, %s
  on = {
    text = function(event, attempts)
      note("begun", event)
      while not exists "gate" do ngx.sleep(0.005) end
      if event.id:find "^odd" and attempts == 1 then error("odd") end
      note("handled", event)
    end,
  },
}
]]

local SERVE = 'require("waba.webhook.nginx").serve(require "bot", { interval = 0.05 })'

describe("the receiver in nginx", function()
  local folder, program, port

  before_each(function()
    folder, port = process.folder(), process.free_port()
    nginx.certify(folder)
  end)

  after_each(function()
    if program then program:stop("TERM") end
    program = nil
    folder:remove()
  end)

  -- Starts nginx. `options` is Lua code with further options of the receiver.
  local function start(options, more)
    folder:file("bot.lua", BOT:format(options or ""))
    local parts = { port = port, content = SERVE }
    for name, value in pairs(more or {}) do parts[name] = value end
    program = nginx.start(folder, nginx.configuration(parts), port)
  end

  local function open_gate() folder:file("gate", "") end

  local function post(body, options)
    local merged = { body = body, user = "u", password = "p", ca_file = folder:file "ca.pem" }
    for name, value in pairs(options or {}) do merged[name] = value end
    return nginx.request(("https://127.0.0.1:%d%s"):format(port, merged.path or "/hook"), merged)
  end

  -- Returns the ids in a file that the handlers write, sorted.
  local function noted(name)
    local ids = {}
    for id in (folder:read(name) or ""):gmatch "(%S+) %d+\n" do ids[#ids + 1] = id end
    table.sort(ids)
    return ids
  end

  local function handled() return noted "handled" end

  local function wait_for(count)
    process.wait_for(function() return #handled() >= count end, count .. " handled events", 20)
    return handled()
  end

  for _, version in ipairs { 1.1, 2 } do
    it("accepts webhooks over HTTP/" .. version .. " and TLS", function()
      start()
      open_gate()
      local status, headers, body = post(body_of("a", "b"), { version = version })
      assert.equal(200, status)
      assert.equal("0", headers:get "content-length")
      assert.equal("", body)
      assert.same({ "a", "b" }, wait_for(2))
    end)
  end

  it("refuses invalid requests", function()
    start "max_body = 100000,"
    assert.equal(401, post(body_of "a", { password = "wrong" }))
    assert.equal(401, post(body_of "a", { user = false }))
    assert.equal(200, post("{}", { password = "old" }))
    local status, headers = post(nil, { method = "GET" })
    assert.equal(405, status)
    assert.equal("POST", headers:get "allow")
    assert.equal(400, post "no json")
    assert.equal(400, post "[]")
    assert.equal(413, post(("x"):rep(100001), { version = 1.1 }))
    assert.same({}, handled())
  end)

  it("reports refused requests in the error log, one line for each status of a worker", function()
    start('inbox = require("waba.inbox").memory { max = 0 },', { workers = 1 })
    for _ = 1, 3 do assert.equal(401, post(body_of "a", { password = "s3cret-guess" })) end
    for _ = 1, 2 do assert.equal(503, post(body_of "a")) end
    local log = folder:read "error.log"
    local function count(words) return select(2, log:gsub(words, "")) end
    assert.equal(1, count "%[error%][^\n]*refused a webhook from 127%.0%.0%.1 with status 401: its user or password is wrong")
    assert.equal(1, count "%[error%][^\n]*refused a webhook from 127%.0%.0%.1 with status 503: the inbox cannot store it")
    assert.is_nil(log:find("guess", 1, true))
  end)

  it("passes path and query, percent-encoded, to the function of the option number", function()
    start([[number = function(request)
      if request.path == "/hook/%2B49/" and request.query == "b=%20&a" then return { number = "4930555019" } end
    end,]], { workers = 1 })
    open_gate()
    assert.equal(404, post(body_of "a"))
    assert.equal(404, post(body_of "a", { password = "wrong" }))
    assert.equal(404, post(body_of "a", { path = "/hook/+49/?b=%20&a" }))
    assert.equal(401, post(body_of "a", { path = "/hook/%2B49/?b=%20&a", password = "wrong" }))
    assert.equal(200, post(body_of "b", { path = "/hook/%2B49/?b=%20&a" }))
    assert.same({ "b" }, wait_for(1))
  end)

  it("replies to the customers of many numbers, each with the key of its number", function()
    local list = {}
    for index = 1, 12 do list[index] = { number = ("49305550%02d"):format(index), api_key = "key-" .. index } end
    local gateway = assert(require("waba.emulator").start { tls = false, statuses = false, window = false,
      numbers = list })
    finally(function() gateway:stop() end)
    start(nil, { workers = 2 })
    folder:file("bot.lua", ([[
      local waba = require "waba"
      return waba.receiver {
        user = "u", password = "p", number = function(request) return request.query end,
        client = waba.clients { max = 3, pace = false, base_url = "%s", load = function(number)
          ngx.sleep(0.001)
          return { api_key = "key-" .. tonumber(number:sub(-2)) }
        end },
        on = { text = function(event) assert(event:reply(waba.text(event.number))) end },
      }
    ]]):format(gateway.url))
    for round = 1, 3 do
      for index, one in ipairs(list) do
        local body = ('{"messages":[{"from":"49151123456%02d","id":"m%d","type":"text","text":{"body":"Hi"}}]}'):format(
          index, round)
        assert.equal(200, post(body, { path = "/hook?" .. one.number }))
      end
    end
    for _, one in ipairs(list) do
      local sent = process.wait_for(function()
        local messages = gateway.numbers[one.number]:messages { direction = "outbound" }
        return #messages == 3 and messages
      end, "the replies of " .. one.number, 20)
      for _, message in ipairs(sent) do assert.equal(one.number, message.content.body) end
    end
  end)

  it("refuses wrong credentials before the body", function()
    local plain = process.free_port()
    start("", { plain = plain })
    for _, credentials in ipairs { "", "Authorization: Basic eHg6eHg=\r\n" } do
      local socket = require("cqueues.socket").connect("127.0.0.1", plain)
      socket:settimeout(10)
      socket:setmode("bn", "bn")
      socket:write("POST /hook HTTP/1.1\r\nHost: x\r\n" .. credentials .. "Content-Length: 500\r\n\r\n")
      assert.matches("^HTTP/1.1 401", (socket:read "*l"))
      socket:close()
    end
  end)

  it("reads a body from a temporary file", function()
    start("", { server = "client_body_buffer_size 1k;" })
    open_gate()
    local ids = {}
    for number = 1, 500 do ids[number] = ("n%03d"):format(number) end
    assert.equal(200, post(body_of((table.unpack or unpack)(ids))))
    assert.same(ids, wait_for(500))
  end)

  it("accepts a signed webhook of three megabytes, and no other signature", function()
    start('secret = "s3cret-w0rd",', { server = "client_body_buffer_size 1k;" })
    open_gate()
    local messages = {}
    for number = 1, 500 do
      messages[number] = ('{"id":"n%03d","from":"%d","type":"text","text":{"body":"%s"}}'):format(
        number, number, ("x"):rep(6000))
    end
    local body = webhooks.cloud { messages = messages }
    local signature = "sha256=" .. core.hmac_sha256("s3cret-w0rd", body)
    local function signed(bytes)
      return post(bytes, { user = false, headers = { ["x-hub-signature-256"] = signature } })
    end
    assert.equal(401, signed(body .. " "))
    assert.equal(401, post(body, { user = false, version = 1.1 }))
    assert.equal(200, signed(body))
    assert.equal(200, post(webhooks.on_premise { messages = '{"id":"flat","from":"1","type":"text","text":{"body":"x"}}' }))
    assert.equal(501, #wait_for(501))
    local log = (folder:read "error.log" or "") .. program:output()
    assert.is_nil(log:find("s3cret", 1, true))
  end)

  it("reads a body without a length", function()
    start("max_body = 100000,", { plain = process.free_port() })
    open_gate()
    local function post_chunked(body)
      local socket = require("socket").tcp()
      assert(socket:connect("127.0.0.1", tonumber(folder:read("nginx.conf"):match "listen 127.0.0.1:(%d+);")))
      socket:settimeout(10)
      socket:send("POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic dTpw\r\nTransfer-Encoding: chunked\r\n\r\n")
      socket:send(("%x\r\n%s\r\n0\r\n\r\n"):format(#body, body))
      local line = socket:receive "*l"
      socket:close()
      return line
    end
    assert.equal("HTTP/1.1 200 OK", post_chunked(body_of("a", "b")))
    assert.equal("HTTP/1.1 413 Request Entity Too Large", post_chunked((" "):rep(100001)))
    assert.same({ "a", "b" }, wait_for(2))
  end)

  it("responds before handlers run, and then to the next request on the same connection", function()
    start("", { plain = process.free_port() })
    local socket = require("socket").tcp()
    assert(socket:connect("127.0.0.1", tonumber(folder:read("nginx.conf"):match "listen 127.0.0.1:(%d+);")))
    socket:settimeout(10)
    for _, id in ipairs { "a", "b", "c" } do
      local body = body_of(id)
      socket:send(("POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic dTpw\r\nContent-Length: %d\r\n\r\n%s"):format(
        #body, body))
      assert.equal("HTTP/1.1 200 OK", socket:receive "*l")
      repeat local line = socket:receive "*l" until line == ""
    end
    assert.same({}, handled())
    open_gate()
    assert.same({ "a", "b", "c" }, wait_for(3))
    socket:close()
  end)

  it("loses no event of a burst", function()
    start("", { plain = process.free_port() })
    local plain = tonumber(folder:read("nginx.conf"):match "listen 127.0.0.1:(%d+);")
    for number = 1, 400 do
      local status = nginx.request(("http://127.0.0.1:%d/"):format(plain),
        { body = body_of("n" .. number), user = "u", password = "p" })
      assert.equal(200, status)
    end
    open_gate()
    assert.equal(400, #wait_for(400))
    process.sleep(0.05)
    assert.equal(400, #handled())
  end)

  it("responds with 503 while its queue is full, and accepts webhooks again when there is space", function()
    start("inbox = waba.inbox.memory { max = 6 },", { workers = 1 })
    local taken = 0
    local status, headers
    repeat
      taken = taken + 1
      status, headers = post(body_of("n" .. taken))
    until status ~= 200 or taken > 20
    assert.equal(503, status)
    assert.is_number(tonumber(headers:get "retry-after"))
    assert.equal(7, taken)
    open_gate()
    wait_for(6)
    process.wait_for(function() return post(body_of "late") == 200 end, "room in the queue")
    wait_for(7)
  end)

  it("finds duplicates of its worker processes with a shared dictionary", function()
    start("inbox = waba.inbox.memory { seen = ngx.shared.seen },", { http = "lua_shared_dict seen 1m;" })
    open_gate()
    for _ = 1, 40 do assert.equal(200, post(body_of "same")) end
    assert.equal(200, post(body_of "other"))
    assert.same({ "other", "same" }, wait_for(2))
    process.sleep(0.1)
    assert.same({ "other", "same" }, handled())
  end)

  it("returns a failed event again", function()
    start "inbox = waba.inbox.memory { retry = { base = 0.01 } },"
    open_gate()
    assert.equal(200, post(body_of("odd1", "even")))
    assert.same({ "even", "odd1" }, wait_for(2))
    assert.truthy(folder:read("error.log"):find("1 of 2 events failed", 1, true))
  end)

  it("runs as many handlers of a burst at once as allowed, in one worker or in several", function()
    for _, inbox in ipairs { "", 'inbox = waba.inbox.sqlite { file = prefix .. "inbox.db", sync = false },' } do
      os.remove(folder:file "gate")
      os.remove(folder:file "begun")
      os.remove(folder:file "handled")
      start(inbox, { workers = 1 })
      assert.equal(200, post(body_of("a", "b", "c", "d", "e", "f")))
      process.wait_for(function() return #noted "begun" == 4 end, "four handlers at once")
      process.sleep(0.2)
      assert.equal(4, #noted "begun")
      open_gate()
      assert.same({ "a", "b", "c", "d", "e", "f" }, wait_for(6))
      program:stop "TERM"
    end
  end)

  it("runs a handler once although it is slower than its lease", function()
    local server = redis.start()
    local inboxes = {
      "", 'inbox = waba.inbox.sqlite { file = prefix .. "inbox.db", sync = false },',
      ("inbox = waba.inbox.redis { port = %d },"):format(server.port),
    }
    for _, inbox in ipairs(inboxes) do
      for _, name in ipairs { "gate", "begun", "handled" } do os.remove(folder:file(name)) end
      start(inbox, { workers = inbox == "" and 1 or 2,
        content = 'require("waba.webhook.nginx").serve(require "bot", { interval = 0.02, lease = 0.15 })' })
      assert.equal(200, post(body_of("a", "b")))
      process.wait_for(function() return #noted "begun" == 2 end, "two handlers")
      process.sleep(0.6)
      open_gate()
      wait_for(2)
      process.sleep(0.2)
      assert.same({ "a", "b" }, handled())
      assert.same({ "a", "b" }, noted "begun")
      program:stop "TERM"
    end
    server:stop()
  end)

  it("continues after nginx has dropped its timer, without another webhook; so does a sender", function()
    start("", { workers = 1, http = "lua_max_running_timers 2;", content = [[
      if ngx.var.uri ~= "/occupy" then ]] .. SERVE .. [[ return end
      for _ = 1, 2 do ngx.timer.at(0, function() ngx.sleep(0.5) end) end
      local name, waba = ngx.config.prefix() .. "pushed", require "waba"
      outbox = outbox or waba.outbox.memory()
      sender = sender or waba.sender { outbox = outbox, client = function() assert(io.open(name, "w")):close() end }
      ngx.sleep(0.001) -- yields, so that requests run at the same time
      assert(outbox:put { to = "491511234567", message = waba.text "Hi" })
      require("waba.outbox.nginx").start(sender)
    ]] })
    open_gate()
    assert.equal(200, post("", { path = "/occupy" }))
    assert.equal(200, post(body_of "a"))
    assert.same({ "a" }, wait_for(1))
    process.wait_for(function() return folder:read "pushed" end, "the sender")
    assert.equal(2, select(2, folder:read("error.log"):gsub("lua_max_running_timers are not enough", "")))
    assert.truthy(folder:read("error.log"):find("dropped a timer", 1, true))
  end)

  it("handles other events while a handler runs longer than its timer", function()
    start("", { workers = 1, http = [[init_worker_by_lua_block { require("waba.transport.ngx_timer").LIFE = 0.1 }]] })
    assert.equal(200, post(body_of "a"))
    process.wait_for(function() return #noted "begun" == 1 end, "the first handler")
    process.sleep(0.3)
    assert.equal(200, post(body_of("b", "c", "d", "e")))
    process.wait_for(function() return #noted "begun" == 4 end, "three handlers more")
    process.sleep(0.1)
    assert.equal(4, #noted "begun")
    open_gate()
    assert.same({ "a", "b", "c", "d", "e" }, wait_for(5))
  end)

  it("reports the number of events that an ending worker leaves", function()
    for options, line in pairs {
      ['inbox = waba.inbox.sqlite { file = prefix .. "inbox.db", sync = false, retry = { base = 60 } },'] =
        "the worker process ends, and 3 events are left in the inbox",
      ["inbox = waba.inbox.memory { retry = { base = 60 } },"] =
        "the worker process ends, and 1 events are left in the inbox: they are lost, since it is in memory",
    } do
      os.remove(folder:file "error.log")
      os.remove(folder:file "handled")
      os.remove(folder:file "gate")
      start(options, { workers = 1, http = [[init_worker_by_lua_block { require("waba.transport.ngx_timer").GRACE = 0.2 }]],
        content = 'require("waba.webhook.nginx").serve(require "bot", { concurrency = 1, interval = 0.05 })' })
      assert.equal(200, post(body_of("odd1", "b", "c")))
      process.wait_for(function() return #noted "begun" > 0 end, "a handler")
      process.run(("kill -QUIT %d"):format(program.pid))
      process.sleep(0.1)
      open_gate()
      process.wait_for(function() return not program:is_alive() end, "the end of nginx")
      assert.truthy(folder:read("error.log"):find(line, 1, true), folder:read "error.log")
      os.remove(folder:file "begun")
    end
  end)

  it("handles the events in memory before it ends", function()
    start()
    assert.equal(200, post(body_of("a", "b", "c", "d", "e", "f")))
    process.run(("kill -QUIT %d"):format(program.pid))
    process.sleep(0.05)
    open_gate()
    process.wait_for(function() return not program:is_alive() end, "the end of nginx")
    assert.same({ "a", "b", "c", "d", "e", "f" }, handled())
  end)

  it("leaves the handlers to other programs with concurrency = 0", function()
    local serve = 'require("waba.webhook.nginx").serve(require "bot", { concurrency = 0 })'
    start('inbox = waba.inbox.sqlite(prefix .. "inbox.db"),', { content = serve })
    open_gate()
    assert.equal(200, (post(body_of "a")))
    assert.equal(200, (post(body_of "b")))
    local elsewhere = {}
    local worker = waba.receiver {
      open = false, inbox = waba.inbox.sqlite(folder:file "inbox.db"),
      on = { text = function(event) elsewhere[#elsewhere + 1] = event.id end },
    }
    assert.equal(2, (worker:work()))
    worker.inbox:close()
    assert.same({ "a", "b" }, elsewhere)
    assert.is_nil(folder:read "handled")
  end)

  it("handles the events of a killed process in its SQLite inbox", function()
    local more = { http = [[init_worker_by_lua_block {
      require("waba.webhook.nginx").start(require "bot", { interval = 0.05 })
    }]] }
    local options = 'inbox = waba.inbox.sqlite { file = prefix .. "inbox.db", sync = false },'
    start(options .. " ", more)
    -- Stores two events.
    assert.equal(200, post(body_of("a", "b")))
    local pids = process.run(("cat /proc/%d/task/%d/children"):format(program.pid, program.pid))
    process.run(("kill -9 %d %s"):format(program.pid, pids))
    process.wait_for(function() return not program:is_alive() end, "the end of nginx")
    assert.same({}, handled())
    local box = waba.inbox.sqlite { file = folder:file "inbox.db" }
    assert.equal(2, box:depth())
    box:close()
    -- Ends the leases of the killed process, so that the test does not wait for their end.
    local connection = sqlite.open(folder:file "inbox.db")
    connection:execute "UPDATE waba_entry SET due = 0"
    connection:close()
    open_gate()
    start(options, more)
    assert.same({ "a", "b" }, wait_for(2))
  end)

  it("stores states and questions for all workers, also after they were killed", function()
    local code = [[
local waba = require "waba"
local file = io.open(ngx.config.prefix() .. "handled", "a")
local function note(word, event)
  file:write(word, " ", event.state.count or 0, "\n")
  file:flush()
end
return waba.receiver {
  user = "u", password = "p", inbox = waba.inbox.sqlite { file = ngx.config.prefix() .. "state/inbox.db", sync = false },
  client = { send = function() return { id = "x" } end, mark_read = function() end },
  on = {
    text = function(event)
      event.state.count = (event.state.count or 0) + 1
      note("text", event)
      assert(event:ask(waba.text "?", "answer"))
    end,
    step = { answer = function(event) note("answer of " .. event.customer.key, event) end },
  },
}
]]
    folder:file("bot.lua", code)
    process.run("mkdir -p " .. process.quote(folder:file "state"))
    local function begin()
      program = nginx.start(folder, nginx.configuration { port = port, content = SERVE, workers = 2 }, port)
    end
    local function text(id)
      assert.equal(200, (post(webhooks.cloud { messages = ('{"from":"4915111","from_user_id":"DE.1","id":"%s","type":"text",'
        .. '"timestamp":"%d","text":{"body":"x"}}'):format(id, os.time()) })))
    end
    local function lines(count)
      return process.wait_for(function()
        local all = folder:read "handled" or ""
        return select(2, all:gsub("\n", "")) >= count and all
      end, count .. " lines")
    end
    begin()
    text "a"
    lines(1)
    text "b"
    lines(2)
    text "c"
    lines(3)
    process.sleep(0.1) -- meanwhile the worker acknowledges the last event
    local workers = process.run(("ps -o pid= --ppid %d | tr '\\n' ' '"):format(program.pid))
    process.run(("kill -KILL %d %s"):format(program.pid, workers))
    program:stop "KILL"
    port = process.free_port()
    begin()
    text "d"
    assert.equal("text 1\nanswer of DE.1 1\ntext 2\nanswer of DE.1 2\n", lines(4))
  end)
end)

describe("examples/nginx", function()
  -- Copies the example's files into a folder that the workers can read, with another port and the emulator's
  -- certificate authority.
  local function copy_example(folder, port, ca_file)
    local path = process.quote(folder.path)
    process.run(("chmod 755 %s && cp examples/nginx/* %s && cat %s >%s/emulator_ca.pem && cd %s && "
      .. "sed -i 's/listen 8443/listen 127.0.0.1:%d/' server.conf && "
      .. "sed -i 's|/etc/ssl/certs/ca-certificates.crt|emulator_ca.pem|' *.conf"):format(path, path,
      process.quote(ca_file), path, path, port))
    nginx.certify(folder)
  end

  -- Copies the library into the same folder, because the workers' user may not read the checkout.
  local function copy_library(folder)
    local path = process.quote(folder:file "library")
    process.run(("cp -R lua %s && cp %s %s/waba"):format(path, nginx.package_cpath:gsub("%?%.so;$", "waba/core.so"), path))
    return ("LUA_PATH=%s LUA_CPATH=%s"):format(process.quote(folder:file "library/?.lua" .. ";"
      .. folder:file "library/?/init.lua" .. ";;"), process.quote(folder:file "library/?.so" .. ";;"))
  end

  local folder, port, gateway, program

  before_each(function()
    folder, port = process.folder(), process.free_port()
    gateway = assert(require("waba.emulator").start { statuses = false, window = false })
    copy_example(folder, port, gateway.ca_file)
    program = nginx.start_file(folder, "debian.conf", port,
      ("-C / %s D360_API_KEY=%s WABA_BASE_URL=%s WEBHOOK_USER=bot WEBHOOK_PASSWORD=secret-word"):format(
        copy_library(folder), process.quote(gateway.api_key), gateway.url))
  end)

  after_each(function()
    program:stop("TERM")
    gateway:stop()
    folder:remove()
  end)

  -- Posts the webhook of a text from a customer.
  local function write(id)
    local status = nginx.request(("https://127.0.0.1:%d/webhook"):format(port), {
      body = ('{"messages":[{"id":"%s","from":"4915112345678","type":"text","text":{"body":"hello"}}]}'):format(id),
      user = "bot", password = "secret-word", ca_file = folder:file "ca.pem",
    })
    assert.equal(200, status)
  end

  it("accepts a webhook and replies, counts it for Prometheus, and sends for the site", function()
    write "m1"
    local sent = process.wait_for(function() return gateway:messages({ direction = "outbound" })[1] end, "the reply")
    assert.equal("4915112345678", sent.wa_id)
    assert.equal("You wrote: hello", sent.content.body)
    local numbers = process.wait_for(function()
      local code, headers, text = nginx.request(("https://127.0.0.1:%d/metrics"):format(port),
        { method = "GET", ca_file = folder:file "ca.pem" })
      assert.equal(200, code)
      assert.matches("^text/plain", headers:get "content-type")
      return text:find("waba_calls_total{", 1, true) and text:find('result="handled"', 1, true) and text
    end, "the numbers")
    local call = 'method="POST",path="/v1/messages"'
    for _, line in ipairs {
      "# TYPE waba_call_duration_seconds histogram",
      "waba_calls_in_flight 0", 'waba_events_total{result="stored"} 1', 'waba_events_total{result="handled"} 1',
      "waba_inbox_depth 0",
      'waba_calls_total{' .. call .. ',kind="ok",status="201"} 1',
      'waba_attempts_total{' .. call .. ',reused="false"} 1',
      "waba_call_duration_seconds_bucket{" .. call .. ',le="+Inf"} 1',
      "waba_call_duration_seconds_count{" .. call .. "} 1",
    } do
      assert.truthy(numbers:find(line .. "\n", 1, true), line .. " is not in:\n" .. numbers)
    end
    local function send(fields)
      local code, _, text = nginx.request(("https://127.0.0.1:%d/send"):format(port), { body = fields,
        headers = { ["content-type"] = "application/x-www-form-urlencoded" }, ca_file = folder:file "ca.pem" })
      return code, text
    end
    local code, id = send "to=%2B49%20151%2012345679&text=Ready"
    assert.equal(200, code)
    assert.equal("Ready", gateway:message(id:match "%S+").content.body)
    code, id = send "to=%2B49%20151%2012345679&to=1&text=Ready"
    assert.equal(400, code)
    assert.matches("^invalid: to is missing", id)
    local log = folder:read "error.log"
    assert.truthy(log:find("4915112345678 writes: hello", 1, true))
    assert.is_nil(log:find("secret-word", 1, true))
    assert.is_nil(log:find(gateway.api_key, 1, true))
    assert.is_nil(log:find("[warn]", 1, true), log)
  end)

  describe("with Prometheus", function()
    if process.run "command -v prometheus" == "" then
      it("returns values for the queries of the dashboard", function() pending "prometheus is not installed" end)
      return
    end

    local database, database_port

    -- Starts a Prometheus that scrapes the example every second.
    before_each(function()
      database_port = process.free_port()
      folder:write("prometheus.yml", ([[
global: { scrape_interval: 1s }
scrape_configs:
  - job_name: waba
    scheme: https
    tls_config: { ca_file: %s, server_name: localhost }
    static_configs: [ { targets: [ "127.0.0.1:%d" ] } ]
]]):format(folder:file "ca.pem", port))
      database = process.start(("prometheus --config.file=%s --storage.tsdb.path=%s --web.listen-address=127.0.0.1:%d")
        :format(folder:file "prometheus.yml", folder:file "database", database_port), folder:file "prometheus.log")
    end)

    after_each(function() database:stop() end)

    local function api(path)
      local status, _, body = nginx.request(("http://127.0.0.1:%d/api/v1/%s"):format(database_port, path), { method = "GET" })
      return status and core.decode(body) or {}
    end

    -- Returns the current values of an expression in the dashboard. Raises an error if the expression is invalid.
    local function query(expression)
      local plain = expression:gsub("%$__rate_interval", "1m"):gsub("%$instance", ".*")
      local answer = api("query?query=" .. encoding.percent(plain))
      assert.equal("success", answer.status, expression .. ": " .. tostring(answer.error))
      local values = {}
      for i, row in ipairs(answer.data.result) do values[i] = tonumber(row.value[2]) end
      return values
    end

    local function has_value(expression)
      for _, value in ipairs(query(expression)) do
        if value > 0 then return true end
      end
      return false
    end

    -- Returns the expressions in a panel of the dashboard.
    local function expressions_of(panel)
      local list = {}
      for i, target in ipairs(panel.targets) do list[i] = target.expr end
      return list
    end

    it("returns values for the queries of the dashboard", function()
      local dashboard = assert(core.decode(assert(folder:read "grafana.json")))
      process.wait_for(function()
        local targets = (api "targets".data or {}).activeTargets or {}
        assert.is_true(database:is_alive(), database:output())
        return targets[1] and targets[1].health == "up"
      end, "Prometheus to scrape the example", 30)
      -- Sends a message, and returns whether the expression has a value. A rate has no value until its counter has
      -- increased after the first scrape.
      local count = 0
      local function has_risen(expression)
        count = count + 1
        write("m" .. count)
        return has_value(expression)
      end
      local with_values = { ["Calls by result"] = true, ["Duration of calls"] = true, ["Events of webhooks"] = true,
        ["Requests by path"] = true, ["Reused connections"] = true }
      local risen = 0
      for _, panel in ipairs(dashboard.panels) do
        for _, expression in ipairs(expressions_of(panel)) do
          if with_values[panel.title] then
            process.wait_for(function() return has_risen(expression) end, panel.title .. " to have a value", 30,
              function() process.sleep(0.5) end)
            risen = risen + 1
          else
            query(expression)
          end
        end
      end
      assert.equal(7, risen)
      process.wait_for(function() return query(dashboard.panels[1].targets[1].expr)[1] == 0 end, "an empty inbox", 30)
    end)

    it("has every metric of the example on the dashboard, and no others", function()
      local shown, known = {}, {}
      for name in folder:read "grafana.json":gmatch "waba_[%l_]+" do
        shown[name:gsub("_bucket$", "")] = true
      end
      local _, _, text = nginx.request(("https://127.0.0.1:%d/metrics"):format(port),
        { method = "GET", ca_file = folder:file "ca.pem" })
      for name in text:gmatch "# TYPE ([%w_]+)" do known[name] = true end
      assert.same(known, shown)
    end)
  end)
end)
