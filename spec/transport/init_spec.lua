-- Which transport a client has. spec/transport/ngx_spec.lua tests the choice inside nginx.

local waba = require "waba"

describe("the transport of a client", function()
  it("is libcurl's outside of nginx", function()
    assert.is_false(require("waba.runtime").is_nginx())
    local client = waba.client { api_key = "k" }
    assert.equal("waba.transport.curl", getmetatable(client.transport).__name)
    client:close()
    assert.error_matches(function() client.transport:send {} end, "closed transport")
  end)

  it("is nginx's in nginx only", function()
    assert.error_matches(function() waba.client { api_key = "k", transport = "ngx" } end, "works inside nginx only")
  end)

  it("may be the user's own, which the client does not close", function()
    local closed = false
    local own = { send = function() end, sleep = function() end, close = function() closed = true end }
    local client = waba.client { api_key = "k", transport = own }
    assert.equal(own, client.transport)
    client:close()
    assert.is_false(closed)
    assert.error_matches(function() waba.client { api_key = "k", transport = {} } end, "option transport must have a method send")
    assert.error_matches(function() waba.client { api_key = "k", transport = "smoke" } end,
      'unknown transport "smoke": expected curl or ngx')
  end)

  it("does not need a method sleep", function()
    local own = { sent = 0 }
    function own:send()
      self.sent = self.sent + 1
      if self.sent < 3 then return nil, { kind = "network", message = "gone", sent = "no" } end
      return { status = 201, headers = {}, body = '{"messages":[{"id":"x"}]}', sent = "yes" }
    end
    local client = waba.client { api_key = "k", retry = { base = 0.001 }, transport = own }
    assert.equal("x", assert(client:send("491511234567", waba.text "Hi")).id)
    assert.equal(3, own.sent)
    client:close()
  end)

  it("without a method sleep: coroutines that wait for each other are resumed by the loop", function()
    local client, woken = waba.client { api_key = "k", transport = { send = function() end } }, false
    waba.run(function()
      local waiter = client.transport:waiter()
      waba.spawn(function()
        woken = true
        waiter:wake()
      end)
      waiter:wait(60)
      assert.is_true(woken)
    end)
  end)
end)

describe("a request whose reused connection has ended", function()
  local was_stale = require("waba.transport").was_stale

  it("is sent again if it was certainly not processed, or is idempotent, and its reader was not called", function()
    for _, row in ipairs {
      { true, "network", "no", false }, { true, "network", "no", true }, { true, "network", "maybe", true },
    } do
      local failure, head = { reused = row[1], kind = row[2], sent = row[3] }, { idempotent = row[4] }
      for _, body in ipairs { "x", { file = "x" } } do assert.is_true(was_stale({ head = head, body = body }, failure)) end
      assert.is_true(was_stale({ head = head }, failure))
      assert.is_false(was_stale({ head = head, body = { reader = print } }, failure))
    end
    for _, row in ipairs {
      { false, "network", "no", true }, { true, "timeout", "no", true }, { true, "network", "maybe", false },
      { true, "network", "yes", true },
    } do
      assert.is_false(was_stale({ head = { idempotent = row[4] } }, { reused = row[1], kind = row[2], sent = row[3] }))
    end
  end)
end)
