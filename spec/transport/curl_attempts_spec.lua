-- The attempts of the curl transport with a simulated engine: which transfers the transport starts, with which options,
-- and what it reuses.

describe("the curl transport", function()
  local loaded = {}
  local engine, curl, transports, starts, prepares, results, closed

  before_each(function()
    starts, prepares, results, closed = {}, {}, {}, 0
    engine = { limit = nil }
    function engine:prepare(head)
      prepares[#prepares + 1] = head
      if head.url == "bad" then return nil, "the URL is bad" end
      return { head = head }
    end
    function engine:start(prepared, body, options, spare, credentials, timeout, connect_timeout)
      starts[#starts + 1] = { prepared = prepared, body = body, options = options, spare = spare, credentials = credentials,
        timeout = timeout, connect_timeout = connect_timeout }
      if self.failure then return nil, self.failure[1], self.failure[2] end
      local transfer = spare or { number = #starts }
      function transfer.step() return "finished" end
      function transfer.wants() return "finished" end
      function transfer.cancel() end
      function transfer.progress() return 1, 2, 3, 4 end
      function transfer.finish()
        local result = table.remove(results, 1) or { { status = 200 } }
        return result[1], result[2]
      end
      return transfer, #starts
    end
    function engine.pollfd() return nil end
    function engine.close() closed = closed + 1 end
    curl = {
      check_proxy = function(proxy) return proxy == "bad" and "it is bad" or nil end,
      engine = function() return engine, engine == nil and "no descriptor" or nil end,
    }
    for _, name in ipairs { "waba.curl", "waba.transport.curl" } do loaded[name] = package.loaded[name] end
    package.loaded["waba.curl"], package.loaded["waba.transport.curl"] = curl, nil
    transports = require "waba.transport.curl"
  end)
  after_each(function()
    for _, name in ipairs { "waba.curl", "waba.transport.curl" } do package.loaded[name] = loaded[name] end
  end)

  local function new() return transports.new { loop = "blocking" } end

  local function head(more)
    local made = { method = "POST", url = "https://a.example/", headers = { A = "1" }, idempotent = false }
    for name, value in pairs(more or {}) do made[name] = value end
    return made
  end

  local function stale(sent) return { nil, { kind = "network", reused = true, sent = sent } } end

  it("starts one transfer for a request, and reuses it", function()
    local transport, one = new(), head { credentials = "secret" }
    for _ = 1, 3 do
      assert.equal(200, assert(transport:send { head = one, body = "x", timeout = 5, connect_timeout = 2 }).status)
    end
    assert.same({ 3, 1 }, { #starts, #prepares })
    assert.same({ "x", "secret", 5, 2 }, { starts[1].body, starts[1].credentials, starts[1].timeout, starts[1].connect_timeout })
    assert.is_nil(starts[1].options)
    assert.is_nil(starts[1].spare)
    assert.equal(1, starts[2].spare.number)
    assert.equal(1, starts[3].spare.number)
    assert.equal(1, transport.spare_count)
  end)

  it("prepares equal heads once", function()
    local transport = new()
    for _, more in ipairs { {}, { credentials = "k" }, { owner = {} } } do assert(transport:send { head = head(more) }) end
    assert.equal(1, #prepares)
    for count, more in ipairs {
      { method = "GET" }, { url = "https://b.example/" }, { idempotent = true }, { headers = { A = "2" } }, { headers = { B = "1" } },
      { headers = { A = "1", B = "1" } }, { headers = {} },
    } do
      assert(transport:send { head = head(more) })
      assert.equal(1 + count, #prepares)
    end
    assert.same({ "POST", "https://a.example/", false, "1" }, { prepares[1].method, prepares[1].url, prepares[1].idempotent,
      prepares[1].headers.A })
    assert.is_nil(prepares[1].credentials)
  end)

  it("passes only the options that a request has", function()
    local transport, sink = new(), function() end
    for index, row in ipairs {
      { { max_body = 5 }, { max_body = 5 } }, { { progress = sink }, { progress = true } },
      { { into = { file = "f", max_size = 7 } }, { save_as = "f", max_size = 7 } }, { { into = { sink = sink } }, { stream = true } },
      { { into = { sink = sink }, progress = sink, max_body = 1 }, { stream = true, progress = true, max_body = 1 } },
    } do
      row[1].head = head()
      assert(transport:send(row[1]))
      assert.same(row[2], starts[index].options)
    end
  end)

  it("sends again on a connection that the server had closed, up to ten times", function()
    for _, row in ipairs { { "no", false, 10 }, { "maybe", true, 10 }, { "maybe", false, 1 }, { "yes", true, 1 } } do
      local transport = new()
      starts, results = {}, {}
      for index = 1, 12 do results[index] = stale(row[1]) end
      local response, failure = transport:send { head = head { idempotent = row[2] } }
      assert.is_nil(response)
      assert.same({ row[1], row[3] }, { failure.sent, #starts })
    end
    local transport = new()
    starts, results = {}, { stale "no", stale "no" }
    assert.equal(200, assert(transport:send { head = head() }).status)
    assert.equal(3, #starts)
    starts, results = {}, { stale "no" }
    assert.is_nil((transport:send { head = head(), body = { reader = function() end } }))
    assert.equal(1, #starts)
    starts, results = {}, { { nil, { kind = "timeout", reused = true, sent = "no" } } }
    assert.is_nil((transport:send { head = head() }))
    assert.equal(1, #starts)
  end)

  it("does not send again after it was closed meanwhile", function()
    local transport = new()
    results = { stale "no", stale "no" }
    local finish = engine.start
    function engine:start(...)
      local transfer, id = finish(self, ...)
      transport.closed = true
      return transfer, id
    end
    assert.is_nil((transport:send { head = head() }))
    assert.equal(1, #starts)
  end)

  it("reports what can't be sent", function()
    local transport = new()
    local function failure_of(request)
      local response, failure = transport:send(request)
      assert.is_nil(response)
      return { failure.kind, failure.message, failure.code, failure.sent }
    end
    assert.same({ "invalid", "the URL is bad", nil, "no" }, failure_of { head = head { url = "bad" } })
    engine.failure = { "a bad body", nil }
    assert.same({ "invalid", "a bad body", nil, "no" }, failure_of { head = head() })
    engine.failure = { "too many", true }
    assert.same({ "network", "too many", "limit", "no" }, failure_of { head = head() })
    transport = new()
    local real = engine
    engine = nil
    assert.same({ "network", "no descriptor", "limit", "no" }, failure_of { head = head() })
    engine = real
    engine.failure = nil
    assert(transport:send { head = head() })
    assert.error_matches(function() transports.new { proxy = "bad" } end, "waba.client: option proxy: it is bad")
    assert.is_table(transports.new { proxy = "good" })
  end)

  it("raises the error of a function of the request, and keeps the transfer", function()
    local transport = new()
    local request = { head = head(), progress = function() error("odd", 0) end }
    assert.error_matches(function() transport:send(request) end, "odd")
    assert.equal(1, transport.spare_count)
  end)

  it("keeps no client alive after a request", function()
    local transport, clients = new(), setmetatable({}, { __mode = "k" })
    for _ = 1, 2 do
      local owner = {}
      clients[owner] = true
      assert(transport:send { head = head { owner = owner } })
    end
    collectgarbage()
    assert.is_nil(next(clients))
  end)

  it("closes its engine once, if there is one", function()
    local transport = new()
    transport:close()
    assert.equal(0, closed)
    transport = new()
    assert(transport:send { head = head() })
    transport:close()
    transport:close()
    assert.equal(1, closed)
    assert.error_matches(function() transport:send { head = head() } end, "attempt to use a closed transport")
  end)
end)
