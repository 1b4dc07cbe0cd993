-- Lua code of the program can run inside a C function: a finalizer when the function makes a Lua value, a metamethod
-- when the function reads an option. This Lua code may close the object that the C function is using.

local own_process = require "spec.support.own_process"
local core = require "waba.core"
local curl = require "waba.curl"
local driver = require "spec.support.driver"
local process = require "spec.support.process"
local server = require "spec.support.server"

local JIT = rawget(_G, "jit") ~= nil

-- Makes an unreachable object whose finalizer is `finalize`.
local function leave_garbage(finalize)
  if JIT then
    getmetatable(newproxy(true)).__gc = finalize
  else
    setmetatable({}, { __gc = finalize })
  end
end

local function keep(...) return { count = select("#", ...), ... } end

-- Calls a function while the garbage collector runs a full cycle at every allocation, with all finalizers.
local function with_eager_collector(callback, ...)
  collectgarbage("setpause", 0)
  collectgarbage("setstepmul", JIT and 0 or 1000)
  if _VERSION == "Lua 5.4" then collectgarbage("incremental", 1, 1000, 30) end
  collectgarbage("restart")
  local results = keep(pcall(callback, ...))
  collectgarbage("setpause", 200)
  collectgarbage("setstepmul", 200)
  if _VERSION == "Lua 5.4" then collectgarbage("incremental", 200, 100, 13) end
  assert(results[1], results[2])
  return (table.unpack or unpack)(results, 2, results.count)
end

local PATH = "spec/foreign_code_spec.lua"

if not own_process.is(PATH) then
  it("the program's code inside a call passes in a process of its own", function()
    assert.is_nil(own_process.run(PATH))
  end)
  return
end

describe("the program's code inside a call", function()
  local gateway

  setup(function() gateway = server.start({ tls = false }) end)

  teardown(function() gateway:stop() end)

  local function head_for(engine, path)
    return assert(engine:prepare({ method = "POST", url = gateway.url .. path, headers = {}, idempotent = false }))
  end

  -- Returns a transfer that has received its whole response.
  local function finished(engine, path, options)
    local transfer = assert(engine:start(head_for(engine, path), "x", options))
    while not transfer:wants() do transfer:step(5) end
    return transfer
  end

  describe("closes the engine", function()
    it("while a response is made: the response is complete", function()
      gateway:respond("/x", { headers = { { "X-Name", "value" } }, body = ("body"):rep(1000) })
      for _ = 1, 20 do
        local engine = assert(curl.engine())
        local transfer = finished(engine, "/x")
        collectgarbage("stop")
        leave_garbage(function() engine:close() end)
        local response = with_eager_collector(transfer.finish, transfer)
        assert.equal(200, response.status)
        assert.equal(("body"):rep(1000), response.body)
        assert.equal("value", response.headers["x-name"])
        engine:close()
      end
    end)

    it("while a failure is made: the failure is complete", function()
      for _ = 1, 20 do
        local engine = assert(curl.engine())
        local transfer = finished(engine, "/x", { max_body = 1 })
        collectgarbage("stop")
        leave_garbage(function() engine:close() end)
        local response, failure = with_eager_collector(transfer.finish, transfer)
        assert.is_nil(response)
        assert.equal("too_large", failure.code)
        assert.truthy(failure.message:find("larger than the 1 bytes", 1, true))
        engine:close()
      end
    end)

    it("while a part of a stream is made: the part is complete", function()
      gateway:respond("/x", { body = ("part"):rep(1000) })
      for _ = 1, 20 do
        local engine = assert(curl.engine())
        local transfer = finished(engine, "/x", { stream = true })
        collectgarbage("stop")
        leave_garbage(function() engine:close() end)
        local part = with_eager_collector(transfer.drain, transfer)
        assert.equal(("part"):rep(1000):sub(1, #part), part)
        transfer:finish()
        engine:close()
      end
    end)

    it("while a transfer starts: returns an error, and nothing is sent", function()
      gateway:forget()
      for _, place in ipairs { "body", "options" } do
        local engine = assert(curl.engine())
        local head = head_for(engine, "/x")
        local closing = setmetatable({}, { __index = function() engine:close() end })
        local function start() return engine:start(head, place == "body" and closing or "x", place == "options" and closing or nil) end
        assert.has_error(start, "attempt to use a closed engine")
      end
      assert.equal(0, gateway:count("/x"))
    end)
  end)

  it("finishes the transfer whose response is made: only one of them gets the response", function()
    gateway:respond("/x", { body = ("body"):rep(1000) })
    local engine = assert(curl.engine())
    for _ = 1, 20 do
      local transfer = finished(engine, "/x")
      local inner
      collectgarbage("stop")
      leave_garbage(function() inner = { pcall(transfer.finish, transfer) } end)
      local fine, response = pcall(with_eager_collector, transfer.finish, transfer)
      if inner and inner[1] then fine, response = true, inner[2] end
      assert.is_true(fine)
      assert.equal(("body"):rep(1000), response.body)
      assert.has_error(function() transfer:finish() end, "attempt to use a finished transfer")
    end
    engine:close()
  end)

  it("releases a request head: no other head gets its address", function()
    local engine = assert(curl.engine())
    for round = 1, 20 do
      local dropped, spare = head_for(engine, "/dropped"), finished(engine, "/x")
      spare:finish()
      assert(driver.run(engine, dropped, "x"))
      local other, reads = head_for(engine, "/other"), 0
      local vanished = setmetatable({}, { __index = function(_, name)
        if name ~= "file" then return end
        reads = reads + 1
        if reads == 2 then
          dropped = nil
          collectgarbage()
          collectgarbage()
        end
        return "/nonexistent/file"
      end })
      assert.is_nil((engine:start(other, vanished, nil, spare)))
      local heads = {}
      for i = 1, round % 10 + 1 do heads[i] = head_for(engine, "/new") end
      gateway:forget()
      assert(driver.run(engine, heads[#heads], "x"))
      assert.equal("/new", gateway:received()[1].path)
    end
    engine:close()
  end)

  it("changes the headers of a ready head while it is made: the head is as before or refused", function()
    local refused = 0
    for round = 1, 40 do
      local headers, count = { A = "short" }, 0
      collectgarbage()
      collectgarbage("stop")
      leave_garbage(function()
        count = count + 1
        headers.A = round % 2 == 0 and "longer than before" or ""
      end)
      local ready, message = with_eager_collector(core.ready_head, "GET", "/", "h", headers)
      if ready then
        local value = ready:bytes():match "^GET / HTTP/1%.1\r\nHost: h\r\nA: (.-)\r\n\r\n$"
        assert.is_true(value == "short" or value == headers.A, value)
      else
        assert.equal("the headers or the secret changed while the head was written", message)
        refused = refused + 1
      end
    end
    assert.is_true(refused > 0)
  end)

  it("returns the name of a file that nothing else references", function()
    local engine = assert(curl.engine())
    local head = head_for(engine, "/x")
    local function names(field, path)
      return setmetatable({}, { __index = function(_, name)
        if name == field then return table.concat { path, "/", "named" } end
        collectgarbage()
      end })
    end
    for _ = 1, 20 do
      local _, message = engine:start(head, names("file", "/nonexistent"))
      assert.equal("the file /nonexistent/named cannot be sent: No such file or directory", message)
      _, message = engine:start(head, "x", names("save_as", "/nonexistent"))
      assert.equal("the file /nonexistent/named cannot be written: No such file or directory", message)
    end
    engine:close()
  end)

  describe("changes a response", function()
    it("whose record it replaces: the fields are absent", function()
      local engine = assert(curl.engine())
      local transfer = finished(engine, "/x")
      local response = transfer:finish()
      for _, record in ipairs { "abc", "", ("x"):rep(100), 1, true, {}, io.stdout, transfer, engine } do
        response.record = record
        assert.is_nil(response.headers)
        assert.is_nil(response.timings)
      end
      engine:close()
    end)
  end)

  it("returns invalid sizes: the error names them", function()
    local engine = assert(curl.engine())
    local head = head_for(engine, "/x")
    for _, size in ipairs { 1e300, math.huge, 2 ^ 53 + 2, 1.5 } do
      assert.has_error(function() engine:start(head, { size = size }) end, "option 'size' must be a whole number of bytes")
    end
    for _, size in ipairs { -1, 0 / 0 } do
      assert.has_error(function() engine:start(head, { size = size }) end, "option 'size' must not be negative")
    end
    engine:close()
    for _, range in ipairs { { 0, 1 }, { 2, 2 ^ 53 }, { -2 ^ 53, 1 }, { 3, 1 } } do
      assert.has_error(function() core.headers("A: b\r\n", range[1], range[2]) end)
    end
  end)

  -- The program may use 200 MB and fills them, so that the string of the body can't be allocated.
  it("catches a memory error of `finish`: the next call returns the response", function()
    if os.getenv "ASAN_OPTIONS" then return end -- a sanitizer needs more than 200 MB
    gateway:respond("/large", { body = ("x"):rep(1000), times = 4000 })
    local program = [[
      local curl, driver = require "waba.curl", require "spec.support.driver"
      local engine = curl.engine()
      local head = engine:prepare { method = "POST", url = %q, headers = {}, idempotent = false }
      local transfer = engine:start(head, "x")
      while not transfer:wants() do transfer:step(5) end
      local full, errors = {}, 0
      for size = 3000000, 500000, -500000 do
        while pcall(function() full[#full + 1] = ("x"):rep(size + #full) end) do end
      end
      for _ = 1, 3 do
        if not pcall(transfer.finish, transfer) then errors = errors + 1 end
      end
      full = nil
      collectgarbage()
      collectgarbage()
      local response = transfer:finish()
      print(errors, response.status, #response.body, response.headers["content-length"])
    ]]
    local output = process.run(("ulimit -v 300000; %s -e %s 2>&1"):format(JIT and "luajit" or _VERSION:gsub("Lua ", "lua"),
      process.quote(program:format(gateway.url .. "/large"))))
    assert.equal("3\t200\t4000000\t4000000", output)
  end)
end)
