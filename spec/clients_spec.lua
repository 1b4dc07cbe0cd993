-- waba.clients makes the clients of many numbers when they are first needed.

local scripted_transport = require "spec.support.scripted_transport"
local runners = require("spec.support.transports").runners
local runtime = require "waba.runtime"
local support = require "spec.support.emulator"
local waba = require "waba"
local webhooks = require "spec.support.webhooks"

local SHOP, BRANCH, THIRD = "4930555019", "4930555020", "4930555021"
local EVA = "4915112345678"

describe("waba.clients", function()
  local emulator, clients, loaded, keys

  lazy_setup(function()
    emulator = assert(support.start { statuses = false, numbers = {
      { number = SHOP, api_key = "shop-key" }, { number = BRANCH, api_key = "branch-key" },
      { number = THIRD, api_key = "third-key", cloud = { phone_number_id = "403" } },
    } })
    for _, number in pairs(emulator.numbers) do
      number:customer(EVA):text "Hi"
      number.cloud:customer(EVA):text "Hi"
    end
  end)

  lazy_teardown(function() emulator:stop() end)

  before_each(function()
    loaded, keys = {}, { [SHOP] = "shop-key", [BRANCH] = "branch-key", [THIRD] = "third-key" }
    for _, number in pairs(emulator.numbers) do
      number:forget()
      number.cloud:forget()
      for _, gateway in ipairs { number, number.cloud } do gateway:customer(EVA):text "Hi" end
    end
  end)

  after_each(function() clients:close() end)

  -- Returns clients of the emulator, with further options.
  local function clients_of(more)
    local options = {
      base_url = emulator.url, pace = false, retry = false,
      load = function(number, event)
        loaded[#loaded + 1] = { number, event }
        return keys[number] and { api_key = keys[number] }
      end,
    }
    for name, value in pairs(more or {}) do options[name] = value end
    clients = waba.clients(options)
    return clients
  end

  local function on_cloud(more)
    local options = { hosting = "cloud", base_url = emulator.cloud.url }
    for name, value in pairs(more or {}) do options[name] = value end
    return clients_of(options)
  end

  -- Returns the number of messages that were sent with the key of a number.
  local function sent_by(number)
    return #emulator.numbers[number]:messages { direction = "outbound" }
      + #emulator.numbers[number].cloud:messages { direction = "outbound" }
  end

  it("makes a client when its number is first needed, and keeps it", function()
    clients_of()
    assert.equal(0, #loaded)
    local client = clients:get(SHOP)
    assert.equal(client, clients:get("+49 30 555019"))
    assert.equal(client, clients:get(tonumber(SHOP)))
    assert.same({ { SHOP } }, loaded)
    assert.are_not.equal(client, clients:get(BRANCH))
    assert(client:send(EVA, waba.text "Hello"))
    assert.equal(1, sent_by(SHOP))
    assert.equal(2, clients.count)
  end)

  it("prefers the options of a number to the common ones", function()
    clients_of { timeout = 7, load = function() return { api_key = "shop-key", timeout = 8 } end }
    assert.equal(8, clients:get(SHOP).timeout)
    clients:close()
    clients_of { timeout = 7, validate = false }
    assert.equal(7, clients:get(SHOP).timeout)
    assert.is_false(clients:get(SHOP).validate)
  end)

  it("adds to each event the client of its number", function()
    local errs = {}
    local receiver = waba.receiver { open = true, client = on_cloud(), on = { text = function(event)
      local ok, err = event:reply(waba.text "Hello")
      errs[#errs + 1] = not ok and err or nil
      assert.equal(ok and clients:get(event.number) or nil, event.client)
    end } }
    for index, number in ipairs { SHOP, BRANCH, THIRD, SHOP, "4930555099" } do
      receiver:handle { method = "POST", path = "/", headers = {}, body = webhooks.entry(webhooks.change({
        messages = ('{"from":"%s","id":"m%d","type":"text","text":{"body":"Hi"}}'):format(EVA, index) }, number,
        emulator.numbers[number] and emulator.numbers[number].cloud.phone_number_id or "404")) }
    end
    local handled, failed, raised = receiver:work()
    assert.same({ 5, 0 }, { handled, failed }, tostring(raised))
    assert.same({ 2, 1, 1 }, { sent_by(SHOP), sent_by(BRANCH), sent_by(THIRD) })
    assert.equal(SHOP, loaded[1][2].number)
    assert.equal(1, #errs)
    assert.equal("invalid", errs[1].kind)
    assert.matches("4930555099 is unknown", errs[1].message)
  end)

  for _, name in ipairs { "native", "cqueues", "luv", "copas" } do
    it("calls load once for coroutines that need a number at the same time, in " .. name, function()
      local key, count, functions, failed = "old-key", 0, {}, {}
      local loop = name == "luv" and name or nil
      clients_of { loop = loop, load = function()
        count = count + 1
        local current = key
        require("waba.transport.waiter").here(loop and runtime.loop(loop)):wait(0.03)
        if current == "none" then error("no database", 0) end
        return { api_key = current }
      end }
      local function send()
        local ok, client = pcall(clients.get, clients, SHOP)
        local sent, err
        if ok then sent, err = client:send(EVA, waba.text "Hello") end
        if not sent then failed[#failed + 1] = tostring(err or client) end
      end
      for index = 1, 5 do functions[index] = send end
      runners[name](functions)
      assert.same({ 2, 5 }, { count, #failed }) -- the gateway has refused the key
      assert.matches("401", failed[1])
      key, count, failed = "shop-key", 0, {}
      runners[name](functions)
      assert.same({ 1, 0, 5 }, { count, #failed, sent_by(SHOP) })
      clients:close()
      clients_of { loop = loop, load = clients.load }
      key, count, failed = "none", 0, {}
      runners[name](functions)
      assert.same({ 1, 5 }, { count, #failed })
      for _, message in ipairs(failed) do assert.matches("option load failed .* no database", message) end
    end)
  end

  describe("with a maximum", function()
    it("closes the least recently used clients", function()
      clients_of { max = 2 }
      local shop, branch = clients:get(SHOP), clients:get(BRANCH)
      clients:get(SHOP)
      clients:get(THIRD)
      assert.same({ false, true, 2 }, { shop.closed, branch.closed, clients.count })
      assert.are_not.equal(branch, clients:get(BRANCH))
      assert.is_true(shop.closed)
      assert.equal(4, #loaded)
    end)

    it("closes none that has a request in flight", function()
      clients_of { max = 1 }
      emulator:fail_next { delay = 0.2, accept = true, status = 200 }
      waba.run(function()
        local shop = clients:get(SHOP)
        waba.spawn(function() clients:get(BRANCH) end)
        local health, err = shop:request { path = "/v1/health" }
        assert.is_nil(err and err.kind == "cancelled" or nil)
        assert.truthy(health)
        assert.is_false(shop.closed)
        assert.equal(2, clients.count)
      end)
      local shop = clients:get(SHOP)
      clients:get(THIRD)
      assert.same({ true, 1 }, { shop.closed, clients.count })
    end)

    it("closes none that runs send_all", function()
      clients_of { max = 1 }
      local recipients = { EVA }
      waba.run(function()
        local shop = clients:get(SHOP)
        local summary, err = shop:send_all(function()
          waba.sleep(0.05)
          clients:get(BRANCH)
          local to = table.remove(recipients)
          if to then return to, waba.text "Hello" end
        end)
        assert.is_nil(err)
        assert.equal(1, summary.sent)
        clients:get(THIRD)
        assert.is_true(shop.closed)
        assert.error(function() clients:get(SHOP):send_all(function() error "no source" end) end)
      end)
      clients:get(THIRD)
      assert.equal(1, clients.count)
    end)

    for what, option in pairs {
      ["as the option client of the receiver"] = function() return clients end,
      ["for a function of the receiver"] = function() return function(event) return clients:get(event.number, event) end end,
    } do
      it("closes none whose event is being handled, " .. what, function()
        on_cloud { max = 1 }
        local receiver = waba.receiver { open = true, client = option(), on = { text = function(event)
          waba.sleep(event.number == SHOP and 0.1 or 0)
          assert(event:reply(waba.text "Hello"))
        end } }
        for index, number in ipairs { SHOP, BRANCH } do
          receiver:handle { method = "POST", path = "/", headers = {}, body = webhooks.entry(webhooks.change({
            messages = ('{"from":"%s","id":"m%d","type":"text","text":{"body":"Hi"}}'):format(EVA, index) }, number,
            number)) }
        end
        assert.same({ 2, 0 }, { receiver:work { concurrency = 2 } })
        assert.same({ 1, 1 }, { sent_by(SHOP), sent_by(BRANCH) })
        clients:get(THIRD)
        assert.equal(1, clients.count)
      end)
    end
  end)

  describe("when a key is refused with 401", function()
    it("loads the key again and sends the message once", function()
      local hosting = {}
      on_cloud { load = function(_, event)
        hosting[#hosting + 1] = event and event.hosting or "none"
        return { api_key = #hosting == 1 and "old-key" or "shop-key" }
      end }
      local client = clients:get(SHOP, { hosting = "cloud", number = SHOP, raw = {} })
      assert(client:send(EVA, waba.text "Hello"))
      assert(client:send(EVA, waba.text "Hello"))
      assert.same({ "cloud", "cloud" }, hosting)
      assert.equal(2, sent_by(SHOP))
      assert.equal(client, clients:get(SHOP))
    end)

    it("sends all messages that were refused before the new key was loaded", function()
      local number_of_loads = 0
      clients_of { load = function()
        number_of_loads = number_of_loads + 1
        waba.sleep(0.01)
        return { api_key = number_of_loads == 1 and "old-key" or "shop-key" }
      end }
      waba.run(function()
        local client = clients:get(SHOP)
        for _ = 1, 5 do waba.spawn(function() assert(client:send(EVA, waba.text "Hello")) end) end
      end)
      assert.equal(5, sent_by(SHOP))
    end)

    it("sends a file from its beginning, but not the data of a reader", function()
      local number_of_loads = 0
      local function load()
        number_of_loads = number_of_loads + 1
        return { api_key = number_of_loads == 1 and "old-key" or "shop-key" }
      end
      clients_of { load = load }
      local pieces = { "hello", " world" }
      local function reader() return table.remove(pieces, 1) end
      local _, err = clients:get(SHOP).media:upload { reader = reader, size = 11, type = "text/plain" }
      assert.equal("auth", err.kind)
      assert(clients:get(SHOP).media:upload { data = "hello world", type = "text/plain" })
      assert.equal(2, number_of_loads)
    end)

    it("loads no key after other errors and after a success", function()
      for index, response in ipairs {
        { status = 201, body = '{"messages":[{"id":"gBEG"}]}' }, { status = 403 }, { status = 429 }, { status = 500 },
        { failure = { kind = "network", message = "m", sent = "no" } },
      } do
        loaded = {}
        local client = clients_of({ transport = scripted_transport.new { response } }):get(SHOP)
        local sent, err = client:send(EVA, waba.text "Hi")
        assert.equal(index == 1, sent ~= nil, index)
        assert.is_true(index == 1 or err.status ~= 401)
        assert.equal(1, #loaded, index)
        clients:close()
      end
    end)

    it("returns the gateway's error if there is no other key", function()
      keys[SHOP] = "wrong-key"
      local client = clients_of():get(SHOP)
      local sent, err = client:send(EVA, waba.text "Hello")
      assert.is_nil(sent)
      assert.same({ "auth", 401 }, { err.kind, err.status })
      assert.equal(2, #loaded)
      assert.equal(1, #emulator:received { path = "/v1/messages" })
      keys[SHOP] = "another-wrong-key"
      assert.equal("auth", select(2, client:send(EVA, waba.text "Hello")).kind)
      assert.equal(3, #loaded)
      keys[SHOP] = "shop-key"
      assert(client:send(EVA, waba.text "Hello"))
    end)

    it("refuses the key of another number", function()
      keys[SHOP] = "wrong-key"
      clients_of():get(BRANCH)
      local client = clients:get(SHOP)
      keys[SHOP] = "branch-key"
      local sent, err = client:send(EVA, waba.text "Hello")
      assert.is_nil(sent)
      assert.equal("auth", err.kind)
      assert.matches("the API key of the number " .. SHOP .. " is also that of the number " .. BRANCH, err.message)
      assert.equal(0, sent_by(BRANCH))
    end)

    it("reports that the key can't be loaded", function()
      keys[SHOP] = "wrong-key"
      local client = clients_of():get(SHOP)
      clients.load = function() error("the table of numbers is locked", 0) end
      local _, err = client:send(EVA, waba.text "Hello")
      assert.equal("auth", err.kind)
      assert.matches("the table of numbers is locked", err.message)
    end)
  end)

  describe("with verify", function()
    it("sends nothing with a key of another number", function()
      keys[SHOP] = "branch-key"
      for _, make in ipairs { clients_of, on_cloud } do
        local sent, err = make { verify = true }:get(SHOP):send(EVA, waba.text "Hello")
        assert.is_nil(sent)
        assert.equal("auth", err.kind)
        assert.matches(SHOP, err.message)
        assert.equal(0, sent_by(BRANCH))
        clients:close()
      end
    end)

    it("accepts the number and the phone_number_id", function()
      keys["403"] = "third-key"
      assert(on_cloud { verify = true }:get("403"):send(EVA, waba.text "Hello"))
      clients:close()
      assert(on_cloud { verify = true }:get(THIRD):send(EVA, waba.text "Hello"))
      assert.equal(2, sent_by(THIRD))
    end)

    it("verifies a key that was loaded again", function()
      keys[SHOP] = "wrong-key"
      local client = clients_of { verify = true }:get(SHOP)
      keys[SHOP] = "branch-key"
      local sent, err = client:send(EVA, waba.text "Hello")
      assert.is_nil(sent)
      assert.equal("auth", err.kind)
      assert.equal(0, sent_by(BRANCH))
    end)

    it("verifies a key that was changed after the first verification", function()
      local client = clients_of { verify = true }:get(SHOP)
      assert(client:send(EVA, waba.text "Hello"))
      require("waba.client").set_key(client, "old-key")
      keys[SHOP] = "branch-key"
      local sent, err = client:send(EVA, waba.text "Hello")
      assert.is_nil(sent)
      assert.equal("auth", err.kind)
      assert.same({ 1, 0 }, { sent_by(SHOP), sent_by(BRANCH) })
    end)
  end)

  it("returns an error for an unknown number and for a key of two numbers", function()
    clients_of()
    local client, err = clients:get "4930555099"
    assert.is_nil(client)
    assert.same({ "invalid", "number" }, { err.kind, err.path })
    assert.matches("4930555099", err.message)
    keys[BRANCH] = "shop-key"
    clients:get(SHOP)
    client, err = clients:get(BRANCH)
    assert.is_nil(client)
    assert.equal("invalid", err.kind)
    assert.matches("the API key of the number " .. BRANCH .. " is also that of the number " .. SHOP, err.message)
    assert.is_nil(tostring(err):find("shop-key", 1, true))
    assert.equal("invalid", select(2, clients:get "shop").kind)
  end)

  for what, row in pairs {
    ["raises"] = { function() error("locked", 0) end, "option load failed for the number " .. SHOP .. ": locked" },
    ["returns nil and a reason"] = { function() return nil, "locked" end, "failed for the number " .. SHOP .. ": locked" },
    ["returns no table"] = { function() return "key" end, "must return nil or options with api_key for the number " .. SHOP },
    ["returns no key"] = { function() return {} end, "must return nil or options with api_key for the number " .. SHOP },
    ["returns an unknown option"] = { function() return { api_key = "k", tmeout = 1 } end, "unknown option tmeout" },
    ["returns an invalid option"] = { function() return { api_key = "" } end, "option api_key is empty" },
  } do
    it("raises an error when load " .. what .. ", and keeps the event", function()
      clients_of { load = row[1] }
      local ok, message = pcall(clients.get, clients, SHOP)
      assert.is_false(ok)
      assert.truthy(tostring(message):find(row[2], 1, true), message)
      assert.equal(0, clients.count)
      local called
      local receiver = waba.receiver { open = true, client = clients, number = SHOP,
        inbox = waba.inbox.memory { retry = { attempts = 1 } }, on = { text = function() called = true end } }
      receiver:handle { method = "POST", path = "/", headers = {}, body = webhooks.texts "m1" }
      assert.equal(0, (receiver:work()))
      assert.is_nil(called)
      local aside = receiver.inbox:set_aside()
      assert.equal(1, #aside)
      assert.truthy(aside[1].reason:find(SHOP, 1, true), aside[1].reason)
    end)
  end

  it("raises an error for wrong options", function()
    clients_of()
    for words, wrong_options in pairs {
      ["option load is required"] = {}, ["unknown option laod"] = { laod = print },
      ["unknown option api_key"] = { load = print, api_key = "k" },
      ["option max must be integer of at least 1"] = { load = print, max = 0 },
    } do
      local ok, message = pcall(waba.clients, wrong_options)
      assert.is_false(ok)
      assert.truthy(message:find("waba.clients: " .. words, 1, true), message)
    end
  end)

  it("closes all its clients, once", function()
    local client = clients_of():get(SHOP)
    clients:close()
    clients:close()
    assert.is_true(client.closed)
    assert.equal("waba.Clients: 0 open (closed)", tostring(clients))
    assert.has_error(function() clients:get(SHOP) end, "attempt to use closed clients: make other ones with waba.clients")
  end)

  it("does not show a key", function()
    clients_of():get(SHOP)
    local seen = {}
    local function walk(value)
      if seen[value] then return end
      seen[value] = true
      assert.is_nil(tostring(value):find("shop-key", 1, true))
      if type(value) ~= "table" then return end
      for key, member in pairs(value) do
        walk(key)
        walk(member)
      end
    end
    walk(clients)
  end)

  it("has the transport in which a receiver waits, if its options name one", function()
    local transport, loop = scripted_transport.new {}, require("waba.runtime").loop "cqueues"
    for index, row in ipairs { { { transport = transport }, transport }, { { transport = "curl" } }, { {} } } do
      clients = clients_of(row[1])
      assert.equal(row[2], clients.transport, index)
    end
    clients = clients_of { loop = "cqueues" }
    assert.equal(loop, clients.transport.loop)
  end)

  it("lets a receiver wait by the clients' transport", function()
    local gateway = scripted_transport.new { { body = '{"messages":[{"id":"gBEG"}]}' } }
    clients = waba.clients { transport = gateway, pace = false, load = function() return { api_key = "k" } end }
    local sent
    local receiver = waba.receiver { open = true, number = SHOP, client = clients, on = {
      text = function(event) sent = assert(event:reply(waba.text "Hi")) end,
    } }
    assert.equal(200, receiver:handle { method = "POST", body = webhooks.on_premise {
      messages = ('{"id":"a","from":"%s","type":"text","text":{"body":"Hi"}}'):format(EVA) } })
    local handled, _, raised = receiver:work { concurrency = 2 }
    assert.equal(1, handled, tostring(raised))
    assert.equal("gBEG", sent.id)
  end)
end)
