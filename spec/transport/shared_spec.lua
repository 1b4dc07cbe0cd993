-- Clients with the same transport options share one transport: each request carries its own client's key, and closing a
-- client affects its own requests only.

local core = require "waba.core"
local curl = require "waba.curl"
local process = require "spec.support.process"
local runners = require("spec.support.transports").runners
local server = require "spec.support.server"
local waba = require "waba"

local TO, ACCEPTED = "491511234567", { status = 201, body = '{"messages":[{"id":"gBEG"}]}' }

local function new_client(gateway, key, more)
  local options = { api_key = key, base_url = gateway.url, pace = false, retry = false }
  if gateway.url:find "^https" then options.ca_file = gateway.ca_file end
  for name, value in pairs(more or {}) do options[name] = value end
  return waba.client(options)
end

local function close_all(clients)
  for _, client in ipairs(clients) do client:close() end
end

describe("clients", function()
  it("share a transport if their transport options are equal", function()
    local gateway = { url = "http://127.0.0.1:1" }
    local one, two = new_client(gateway, "a", { timeout = 1 }), new_client(gateway, "b", { hosting = "cloud" })
    local other = new_client(gateway, "a", { max_connections = 3 })
    local own = new_client(gateway, "c", { transport = { send = function() return nil, { kind = "network" } end } })
    assert.equal(one.transport, two.transport)
    assert.are_not.equal(one.transport, other.transport)
    assert.are_not.equal(one.transport, own.transport)
    close_all { one, two, other, own }
  end)

  for _, protocol in ipairs { "HTTP/1.1", "HTTP/2" } do
    for _, name in ipairs { "blocking", "native", "cqueues", "luv", "copas" } do
      it("send with their own keys over " .. protocol .. " in " .. name, function()
        local gateway = server.start { protocol = protocol, responses = { ["/v1/messages"] = ACCEPTED } }
        local clients, functions, failed = {}, {}, nil
        for i = 1, 30 do
          clients[i] = new_client(gateway, "key " .. i, { loop = name == "luv" and name or nil, max_connections = 4 })
          functions[i] = function()
            for _ = 1, 3 do
              local _, err = clients[i]:send(TO, waba.text("from key " .. i .. "."))
              failed = failed or err
            end
          end
        end
        if name == "blocking" then
          for _, fn in ipairs(functions) do fn() end
        else
          runners[name](functions)
        end
        local received, connections = gateway:received(), gateway:connections()
        close_all(clients)
        gateway:stop()
        assert.is_nil(failed)
        assert.equal(90, #received)
        for _, request in ipairs(received) do
          assert.truthy(request.body:find("from " .. request.headers["d360-api-key"] .. ".", 1, true), request.body)
        end
        assert.is_true(connections <= (protocol == "HTTP/2" and 1 or 4), connections)
      end)
    end
  end

  it("can't send their key with a request to another client's gateway", function()
    local mine, theirs = server.start { tls = false }, server.start { tls = false }
    local one, two = new_client(mine, "my key"), new_client(theirs, "their key")
    assert.equal(one.transport, two.transport)
    local function send(head)
      head.method, head.headers = "POST", head.headers or {}
      return two.transport:send { head = head, body = "{}", timeout = 5 }
    end
    send { url = theirs.url .. "/", credentials = one.credentials }
    send { url = theirs.url:gsub("127%.0%.0%.1", "localhost") .. "/", credentials = one.credentials }
    send { url = mine.url .. "@" .. theirs.host .. ":" .. theirs.port .. "/", credentials = one.credentials }
    for _, path in ipairs { "//127.0.0.1:" .. theirs.port .. "/", "/@127.0.0.1:" .. theirs.port } do
      one:request { path = path }
    end
    assert(two:request { path = "/own" })
    local received = theirs:received()
    assert.equal("their key", table.remove(received).headers["d360-api-key"])
    for _, request in ipairs(received) do assert.is_nil(request.headers["d360-api-key"]) end
    close_all { one, two }
    mine:stop()
    theirs:stop()
  end)
end)

describe("a request head without credentials", function()
  it("is shared, and each request adds its own", function()
    local gateway = server.start { tls = false }
    local engine = assert(curl.engine())
    local prepared = assert(engine:prepare { method = "POST", url = gateway.url .. "/", headers = { ["X-Kind"] = "a" } })
    local function credentials(value, origin)
      return assert(core.credentials { header = "D360-API-KEY", value = value, origin = origin or gateway.url })
    end
    local used
    local function send(secret)
      local transfer, id = engine:start(prepared, "{}", {}, used, secret)
      assert(transfer, id)
      secret = nil
      collectgarbage()
      while transfer:wants() ~= "finished" do
        engine:wait(1)
        engine:pump()
      end
      assert(transfer:finish())
      used = transfer
    end
    send(credentials "one")
    send(credentials "two")
    send(nil)
    send(credentials("three", "https://other.example"))
    send(credentials "four")
    local keys = {}
    for _, request in ipairs(gateway:received()) do
      assert.equal("a", request.headers["x-kind"])
      keys[#keys + 1] = request.headers["d360-api-key"] or "none"
    end
    assert.same({ "one", "two", "none", "none", "four" }, keys)
    assert.error_matches(function() engine:start(prepared, "{}", {}, nil, io.stdout) end, "must come from waba.core.credentials")
    engine:close()
    gateway:stop()
  end)

  it("is not reused for other headers", function()
    local gateway = server.start { tls = false }
    local transport = require("waba.transport.curl").new()
    local function send(headers)
      return transport:send { head = { method = "POST", url = gateway.url .. "/", headers = headers }, body = "{}", timeout = 5 }
    end
    assert(send { a = "1", b = "2" })
    local response, failure = send { a = "1\nb: 2" }
    assert.is_nil(response)
    assert.equal("invalid", failure.kind)
    assert(send { a = "1" })
    local received = gateway:received()
    assert.equal(2, #received)
    assert.is_nil(received[2].headers.b)
    transport:close()
    gateway:stop()
  end)
end)

describe("closing a client", function()
  local gateway

  before_each(function()
    gateway = server.start { responses = { ["/v1/messages"] = ACCEPTED, ["/held"] = { held = true } } }
  end)
  after_each(function() gateway:stop() end)

  local function wait_until(client, condition)
    local deadline = core.clock() + 10
    while not condition() do
      if core.clock() > deadline then error("it took too long", 2) end
      client.transport:sleep(0.005)
    end
  end

  for _, name in ipairs { "native", "cqueues", "luv", "copas" } do
    it("cancels its own requests only, in " .. name, function()
      local options = { loop = name == "luv" and name or nil, max_connections = 8 }
      local one, two = new_client(gateway, "one", options), new_client(gateway, "two", options)
      local results = {}
      local function asks(client, label)
        return function()
          local json, err = client:request { path = "/held" }
          results[label] = json and "answered" or err.kind
        end
      end
      runners[name] {
        asks(one, "one, first"), asks(two, "two, first"), asks(one, "one, second"), asks(two, "two, second"),
        function()
          wait_until(two, function() return gateway:count "/held" == 4 end)
          one:close()
          wait_until(two, function() return results["one, first"] and results["one, second"] end)
          assert.is_nil(results["two, first"])
          gateway:release()
        end,
      }
      assert.same({
        ["one, first"] = "cancelled", ["one, second"] = "cancelled", ["two, first"] = "answered", ["two, second"] = "answered",
      }, results)
      assert(two:send(TO, waba.text "Hello"))
      two:close()
    end)
  end

  it("ends its request in a function of the request, outside of a loop", function()
    gateway:respond("/large", { body = "x", times = 300000, pieces = 3, pause = 0.01 })
    local one, two = new_client(gateway, "one"), new_client(gateway, "two")
    local head = { method = "GET", url = gateway.url .. "/large", headers = {}, owner = one }
    local response, failure = one.transport:send {
      head = head, timeout = 10, into = { sink = function() one:close() end },
    }
    assert.is_nil(response)
    assert.equal("cancelled", failure.kind)
    assert(two:send(TO, waba.text "Hello"))
    two:close()
  end)

  it("closes the connections if it is the last one", function()
    local one, two = new_client(gateway, "one"), new_client(gateway, "two")
    assert(one:send(TO, waba.text "Hello"))
    assert(two:send(TO, waba.text "Hello"))
    one:close()
    one:close()
    assert(two:send(TO, waba.text "Hello"))
    assert.equal(1, gateway:connections())
    local transport = two.transport
    two:close()
    assert.is_true(transport.closed)
    local three = new_client(gateway, "three")
    assert(three:send(TO, waba.text "Hello"))
    three:close()
  end)

  it("keeps the rate limits of other keys", function()
    local slow = { pace = { messages = { rate = 0.1, burst = 1 } }, timeout = 0.5 }
    local one, two, also_two = new_client(gateway, "one", slow), new_client(gateway, "two", slow), new_client(gateway, "two", slow)
    assert(one:send(TO, waba.text "Hello"))
    one:close()
    assert(two:send(TO, waba.text "Hello"))
    local _, err = also_two:send(TO, waba.text "Hello")
    assert.equal("timeout", err.kind)
    two:close()
    _, err = also_two:send(TO, waba.text "Hello")
    assert.equal("timeout", err.kind)
    also_two:close()
  end)
end)

describe("clients after a fork", function()
  it("share new connections in the child, and send with their own keys", function()
    local folder = process.folder()
    process.run(("cc -shared -fPIC -Wl,--unresolved-symbols=ignore-all -o %s/fork.so spec/support/fork.c"):format(folder.path))
    local fork = assert(package.loadlib(folder.path .. "/fork.so", "luaopen_fork"))()
    local gateway = server.start { responses = { ["/v1/messages"] = ACCEPTED } }
    local one, two = new_client(gateway, "key one"), new_client(gateway, "key two")
    assert(one:send(TO, waba.text "from key one"))
    local child = fork.fork()
    if child == 0 then
      pcall(function()
        two:send(TO, waba.text "from key two")
        two:close()
        one:send(TO, waba.text "from key one")
        one:close()
      end)
      fork.exit(0)
    end
    assert.equal(0, fork.wait(child))
    assert(two:send(TO, waba.text "from key two"))
    local received = gateway:received()
    assert.equal(4, #received)
    for _, request in ipairs(received) do
      assert.truthy(request.body:find("from " .. request.headers["d360-api-key"], 1, true), request.body)
    end
    assert.equal(2, gateway:connections())
    assert.equal(received[1].connection, received[4].connection)
    close_all { one, two }
    gateway:stop()
    folder:remove()
  end)
end)
