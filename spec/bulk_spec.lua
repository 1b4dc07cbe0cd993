-- client:send_all without a journal: the messages that are sent, the reported results, and the end of a run.

local core = require "waba.core"
local support = require "spec.support.bulk"
local waba = require "waba"

local NETWORK = { kind = "network", message = "refused", sent = "no" }
local LOST = { kind = "network", message = "reset", sent = "maybe" }

describe("client:send_all", function()
  it("sends the messages of the source, and reports each result", function()
    local gateway = support.gateway()
    local client = support.client(gateway)
    local results = {}
    local summary = assert(client:send_all(support.source(100), {
      on_result = function(key, sent, err, to) results[key] = { sent = sent, err = err, to = to } end,
    }))
    assert.equal(100, gateway.received)
    assert.equal(100, #results)
    for position, result in ipairs(results) do
      assert.matches("^id%-%d+$", result.sent.id)
      assert.is_nil(result.err)
      assert.equal(support.recipient(position), result.to)
    end
    assert.is_true(summary.seconds >= 0)
    summary.seconds = nil
    assert.same({ done = 100, sent = 100, failed = 0, maybe_sent = 0, skipped = 0, failed_before = 0,
      maybe_sent_before = 0, duplicates = 0 }, summary)
  end)

  it("sends nothing for an empty source", function()
    local client = support.client(support.gateway())
    assert.equal(0, client:send_all(function() end).done)
  end)

  it("reports results with the keys of the source", function()
    local client = support.client(support.gateway())
    local keys = {}
    assert(client:send_all(support.source(3, function(position) return "order-" .. position end), {
      on_result = function(key) keys[#keys + 1] = key end,
    }))
    table.sort(keys)
    assert.same({ "order-1", "order-2", "order-3" }, keys)
  end)

  it("has at most `concurrency` messages in flight, and reads only a few messages in advance", function()
    local gateway = support.gateway { delay = 0.001 }
    local client = support.client(gateway)
    for _, concurrency in ipairs { 1, 5, 32 } do
      gateway.most, gateway.received = 0, 0
      local source, taken = support.source(80)
      local finished, farthest = 0, 0
      assert(client:send_all(source, {
        concurrency = concurrency,
        on_result = function()
          finished = finished + 1
          farthest = math.max(farthest, taken() - finished)
        end,
      }))
      assert.equal(80, gateway.received)
      assert.equal(concurrency, gateway.most)
      assert.is_true(farthest <= 2 * concurrency)
    end
  end)

  it("has fewer messages in flight if they would wait for the rate limit for longer than half of their timeout", function()
    local runs = require "waba.bulk.run"
    local function pace(rate) return { messages = { rate = rate, burst = 1 } } end
    local shared = { limiters = function() return { bucket = function() return { interval = 1 / 80, shared = true } end } end }
    for index, row in ipairs {
      -- Columns: the option `pace` of the client, options of the run, messages in flight, messages read at once.
      { false, {}, 64, 64 }, { { messages = false }, {}, 64, 64 }, { pace(10), {}, 10, 10 }, { pace(10), { timeout = 1 }, 5, 5 },
      { pace(0.1), {}, 1, 1 }, { pace(1000), {}, 64, 64 }, { pace(1000), { concurrency = 200 }, 200, 64 },
      { { messages = { rate = 80, burst = 1 }, store = shared }, {}, 10, 10 }, { false, { rate = 8 }, 64, 2 },
      { false, { rate = 1 }, 64, 1 }, { false, { rate = 1000 }, 64, 64 }, { false, { rate = 1000, concurrency = 5 }, 5, 5 },
    } do
      local client, options = support.client(support.gateway(), { pace = row[1], timeout = 2 }), row[2]
      options.concurrency, options.patience, options.send = options.concurrency or 64, 300, {}
      local run = runs.new(client, print, options)
      assert.same({ row[3], row[4] }, { run.concurrency, run.batch }, index)
      client:close()
    end
  end)

  it("does not call its source again after its end, its error, or the end of the run", function()
    for what, final in pairs { ["end"] = function() end, error = function() error("torn", 0) end, stop = false } do
      local client = support.client(support.gateway { delay = 0.002 })
      local calls, stopped = 0, false
      local ok = pcall(client.send_all, client, function()
        calls = calls + 1
        assert(not stopped)
        if calls > 6 and final then
          assert.equal(7, calls)
          return final()
        end
        return support.recipient(calls), waba.text "Hi"
      end, { concurrency = 2, stop = function()
        stopped = not final and calls >= 6
        return stopped
      end })
      assert.equal(what ~= "error", ok)
      assert.is_true(final and calls == 7 or not final and calls >= 6 and calls < 12, what)
    end
  end)

  it("needs the same memory for many messages as for few", function()
    local client = support.client(support.gateway())
    local function grown_by(count)
      assert(client:send_all((support.source(500))))
      collectgarbage()
      collectgarbage()
      local before, most = collectgarbage "count", 0
      local source = support.source(count)
      local position = 0
      assert(client:send_all(function()
        position = position + 1
        if position % 1000 == 0 then
          collectgarbage()
          collectgarbage()
          most = math.max(most, collectgarbage "count")
        end
        return source()
      end))
      return most - before
    end
    assert.is_true(grown_by(5000) < 300)
  end)

  it("does not exceed its rate", function()
    local client = support.client(support.gateway())
    local started = core.clock()
    assert(client:send_all(support.source(40), { rate = 400 }))
    assert.is_true(core.clock() - started >= 39 / 400 - 0.01)
  end)

  it("distinguishes failed and uncertain results", function()
    local gateway = support.gateway { respond = function(count)
      if count == 3 then
        return support.response(400, '{"errors":[{"code":1013,"title":"User is not valid"}]}')
      elseif count == 5 then
        return nil, LOST
      end
    end }
    local client = support.client(gateway)
    local errs = {}
    local summary = assert(client:send_all(support.source(8), {
      concurrency = 1, on_result = function(key, _, err) errs[key] = err end,
    }))
    assert.same({ 8, 6, 1, 1 }, { summary.done, summary.sent, summary.failed, summary.maybe_sent })
    assert.equal("recipient", errs[3].kind)
    assert.is_true(errs[5].maybe_sent)
    assert.equal(8, gateway.received)
  end)

  it("refuses only the message with a wrong recipient", function()
    local client = support.client(support.gateway())
    local list, position, errs = { "+49 151 1234567", "0151", {}, "+49 151 1234568" }, 0, {}
    local summary = assert(client:send_all(function()
      position = position + 1
      return list[position], waba.text "Hi"
    end, { on_result = function(key, _, err) errs[key] = err end }))
    assert.equal(2, summary.sent)
    assert.equal(2, summary.failed)
    assert.equal("to", errs[2].path)
    assert.equal("to", errs[3].path)
  end)

  it("sends once to a recipient in several forms with the option unique", function()
    local gateway = support.gateway()
    local client = support.client(gateway)
    local list = { "+49 151 1234567", "004915112345678", "49 (151) 1234567", "0151", "0151", "491511234567" }
    local position, keys = 0, {}
    local summary = assert(client:send_all(function()
      position = position + 1
      return list[position], waba.text "Hi"
    end, { unique = true, total = 6, on_result = function(key) keys[#keys + 1] = key end }))
    assert.equal(2, gateway.received)
    assert.same({ 6, 2, 2, 2 }, { summary.done, summary.sent, summary.failed, summary.duplicates })
    table.sort(keys)
    assert.same({ 1, 2, 4, 5 }, keys)
  end)

  it("passes options to each message", function()
    local client = support.client(support.gateway())
    local seen
    local send = client.send
    function client.send(self, to, message, options)
      seen = options
      return send(self, to, message, options)
    end
    assert(client:send_all(support.source(1), { timeout = 5, send = { check_contact = true } }))
    assert.same({ bulk = true, timeout = 5, check_contact = true }, seen)
  end)

  it("lets other messages of the client pass", function()
    local order = {}
    local gateway = support.gateway { respond = function(_, request)
      order[#order + 1] = request.body:find("Reply", 1, true) and "reply" or "bulk"
    end }
    local client = support.client(gateway, { pace = { messages = { rate = 100, burst = 1 } } })
    waba.run(function()
      waba.spawn(function()
        while gateway.received < 3 do waba.sleep(0.001) end
        assert(client:send("4915199999", waba.text "Reply"))
      end)
      assert(client:send_all(support.source(20), { concurrency = 10 }))
    end)
    local place
    for i, word in ipairs(order) do place = word == "reply" and i or place end
    assert.is_true(place < 20)
    assert.equal(21, #order)
  end)

  if _VERSION ~= "Lua 5.1" or rawget(_G, "jit") then
    it("continues to send while the source or on_result waits", function()
      local gateway = support.gateway { delay = 0.002 }
      local client = support.client(gateway)
      local source, reported = support.source(30), 0
      local summary = assert(client:send_all(function()
        waba.sleep(0.0005)
        return source()
      end, { concurrency = 8, on_result = function()
        waba.sleep(0.001)
        reported = reported + 1
      end }))
      assert.equal(30, summary.sent)
      assert.equal(30, reported)
      assert.is_true(gateway.most > 1)
    end)
  end

  describe("when a function of the caller raises an error,", function()
    it("a source: completes the sends in flight, and raises the error again", function()
      local gateway = support.gateway { delay = 0.001 }
      local client = support.client(gateway)
      local source, finished = support.source(100), 0
      local position = 0
      local fine, fault = pcall(client.send_all, client, function()
        position = position + 1
        if position == 50 then error({ "torn" }) end
        return source()
      end, { concurrency = 8, on_result = function() finished = finished + 1 end })
      assert.is_false(fine)
      assert.same({ "torn" }, fault)
      assert.equal(0, gateway.in_flight)
      assert.equal(gateway.received, finished)
    end)

    it("on_result: reports the other messages in flight, and raises the first error again", function()
      local gateway = support.gateway { delay = 0.001 }
      local client = support.client(gateway)
      local reported = 0
      local fine, fault = pcall(client.send_all, client, support.source(100), {
        concurrency = 8,
        on_result = function()
          reported = reported + 1
          if reported >= 10 then error("fault " .. reported, 0) end
        end,
      })
      assert.is_false(fine)
      assert.equal("fault 10", fault)
      assert.equal(gateway.received, reported)
      assert.is_true(reported <= 18)
    end)

    it("on_progress and stop: the run ends too", function()
      local client = support.client(support.gateway { delay = 0.001 })
      for _, name in ipairs { "on_progress", "stop" } do
        assert.error_matches(function()
          client:send_all(support.source(10), { [name] = function() error "no bar" end })
        end, "no bar")
      end
    end)
  end)

  it("sends no marketing template to customers who want none, by the options or the definition", function()
    local receiver, asked = { suppressed = function(_, to) return to == support.recipient(1) and "stop" end }, waba.template {
      name = "offer", language = "en",
    }
    for index, row in ipairs {
      { {}, 0 }, { { marketing = true }, 1 }, { { send = { marketing = true } }, 1 }, { { send = { timeout = 5 } }, 0 },
      { { marketing = false, send = { marketing = true } }, 0 }, { { marketing = true, send = { marketing = false } }, 1 },
      { {}, 1, "MARKETING" }, { {}, 0, "UTILITY" }, { { marketing = false }, 0, "MARKETING" },
    } do
      local client = support.client(support.gateway { respond = function(_, request)
        if request.head.method ~= "GET" then return nil end
        return support.response(200, ('{"data":[{"id":"1","name":"offer","language":"en","category":"%s","status":"APPROVED",'
          .. '"components":[{"type":"BODY","text":"Hi"}]}]}'):format(row[3]))
      end }, { hosting = "cloud" })
      if row[3] then assert(client.templates:definition("offer", "en")) end
      local options, position, errs = row[1], 0, {}
      options.suppress = receiver
      function options.on_result(key, _, err) errs[key] = err and err.kind end
      local summary = assert(client:send_all(function()
        position = position + 1
        if position <= 3 then return support.recipient(position), asked end
      end, options))
      assert.same({ row[2], 3 - row[2], 3 }, { summary.suppressed, summary.sent, summary.done }, index)
      assert.same({ row[2] == 1 and "blocked" or nil }, errs, index)
    end
  end)

  it("names the invalid message", function()
    local client = support.client(support.gateway())
    local position = 0
    assert.error_matches(function()
      client:send_all(function()
        position = position + 1
        return "4915112345678", position < 7 and waba.text "Hi" or "Hi"
      end)
    end, "message 7 of the source: the message must be a table from a builder, not a string")
    for _, key in ipairs { "", 1.5, true, ("x"):rep(513), 2 ^ 53, -2 ^ 53, 1 / 0, 0 / 0 } do
      assert.error_matches(function()
        client:send_all(function() return "4915112345678", waba.text "Hi", key end)
      end, "message 1 of the source: a key must be a whole number or a string of 1 to 512 bytes")
    end
    position = 0
    assert.error_matches(function()
      client:send_all(function()
        position = position + 1
        return "4915112345678", waba.text "Hi", position == 1 and "a" or nil
      end)
    end, "message 2 of the source: some have a key and some have none: expected a key for all or none")
  end)

  it("stops after the messages in flight if stop returns true", function()
    local gateway = support.gateway { delay = 0.001 }
    local client = support.client(gateway)
    local summary = assert(client:send_all(support.source(1000), {
      concurrency = 8, stop = function() return gateway.received >= 50 end,
    }))
    assert.is_true(summary.stopped)
    assert.equal(gateway.received, summary.sent)
    assert.is_true(summary.sent >= 50 and summary.sent < 100)
    assert.equal(0, gateway.in_flight)
  end)

  it("reports its progress", function()
    local client = support.client(support.gateway())
    local seen = {}
    assert(client:send_all(support.source(120), {
      total = 120, rate = 200, on_progress = function(figures) seen[#seen + 1] = figures end,
    }))
    assert.is_true(#seen >= 2)
    for i = 2, #seen do assert.is_true(seen[i].done >= seen[i - 1].done) end
    for _, figures in ipairs(seen) do
      assert.equal(figures.done, figures.sent)
      assert.is_true(figures.elapsed > 0 and figures.rate >= 0)
      if figures.rate > 0 then
        assert.is_true(math.abs(figures.seconds_left - (120 - figures.done) / figures.rate) < 1e-6)
      end
    end
    local last = seen[#seen]
    assert.is_true(last.rate > 0)
    assert.same({ 120, 120, 0, 0, 0, 120, 0 },
      { last.done, last.sent, last.failed, last.maybe_sent, last.skipped, last.total, last.seconds_left })
  end)

  describe("when the gateway is unavailable", function()
    it("waits, and skips no recipient", function()
      local refusals = 0
      local gateway = support.gateway { respond = function(count)
        if count > 20 and refusals < 12 then
          refusals = refusals + 1
          return nil, NETWORK
        end
      end }
      local client = support.client(gateway, { retry = { attempts = 2, base = 0.001 } })
      local reported = {}
      local summary = assert(client:send_all(support.source(60), {
        concurrency = 6, on_result = function(key) reported[key] = (reported[key] or 0) + 1 end,
      }))
      assert.equal(12, refusals)
      assert.equal(60, summary.sent)
      for position = 1, 60 do assert.equal(1, reported[position]) end
    end)

    it("reports why nothing is sent", function()
      local gateway = support.gateway { respond = function() return nil, NETWORK end }
      local client = support.client(gateway, { retry = { attempts = 2, base = 0.001 } })
      local reasons = {}
      client:send_all(support.source(5), { patience = 0.1, on_progress = function(progress)
        reasons[#reasons + 1] = progress.err and progress.err.message or "none"
      end })
      assert.matches("^refused; ", reasons[#reasons])
    end)

    it("ends after a long unavailability, and names the reason", function()
      local gateway = support.gateway { respond = function(count)
        if count > 20 then return nil, NETWORK end
      end }
      local client = support.client(gateway, { retry = { attempts = 2, base = 0.001 } })
      local reported = 0
      local summary, err = client:send_all(support.source(60), {
        concurrency = 6, patience = 0.1, on_result = function() reported = reported + 1 end,
      })
      assert.is_nil(summary)
      assert.equal("network", err.kind)
      assert.matches("the gateway has accepted no message for %S+ seconds %(option patience%), so the run has ended: refused", err.message)
      assert.is_false(err.maybe_sent)
      assert.equal(20, err.summary.sent)
      assert.equal(0, err.summary.failed)
      assert.equal(20, reported)
    end)

    it("does not wait without retries", function()
      for _, case in ipairs { { retry = false }, { patience = 0 } } do
        local client = support.client(support.gateway { respond = function() return nil, NETWORK end },
          { retry = case.retry == nil and { attempts = 2, base = 0.001 } or case.retry })
        local summary = assert(client:send_all(support.source(5), { patience = case.patience }))
        assert.equal(5, summary.failed)
      end
    end)

    it("pauses after several lost responses in sequence", function()
      local gateway = support.gateway { respond = function() return nil, LOST end }
      local client = support.client(gateway, { retry = { attempts = 2, base = 0.001 } })
      local _, err = client:send_all(support.source(1000), { concurrency = 4, patience = 0.1 })
      assert.equal("network", err.kind)
      assert.is_true(err.summary.maybe_sent >= 8 and err.summary.maybe_sent < 20)
    end)
  end)

  it("ends when the client is closed", function()
    local client
    client = support.client(support.gateway { respond = function(count)
      if count == 30 then client:close() end
    end })
    local summary, err = client:send_all(support.source(100), { concurrency = 4 })
    assert.is_nil(summary)
    assert.equal("cancelled", err.kind)
    assert.is_true(err.summary.sent >= 30 and err.summary.sent < 40)
    assert.error_matches(function() client:send_all((support.source(1))) end, "attempt to use a closed client")
  end)

  it("reports no result for recipients whose message a closed client did not send", function()
    local client, reported = nil, 0
    client = support.client(support.gateway { delay = 0.001, respond = function(count)
      if count == 30 then client:close() end
      if client.closed then return nil, { kind = "cancelled", message = "the transport was closed", sent = "no" } end
    end })
    local _, err = client:send_all(support.source(100), { concurrency = 4, on_result = function() reported = reported + 1 end })
    assert.equal("cancelled", err.kind)
    assert.same({ 29, 0, 0 }, { err.summary.sent, err.summary.failed, err.summary.maybe_sent })
    assert.equal(29, reported)
  end)

  it("raises an error that names a wrong option", function()
    local client = support.client(support.gateway())
    local source = support.source(1)
    for options, message in pairs {
      [{ concurency = 5 }] = "client:send_all: unknown option concurency %(did you mean concurrency%?%)",
      [{ concurrency = 0 }] = "option concurrency must be integer of at least 1",
      [{ concurrency = 1.5 }] = "option concurrency",
      [{ rate = 0 }] = "option rate must be number above 0",
      [{ rate = 0 / 0 }] = "option rate",
      [{ patience = -1 }] = "option patience",
      [{ total = -1 }] = "option total",
      [{ on_result = 5 }] = "option on_result must be function, not a number",
      [{ journal = "" }] = "option journal is empty",
      [{ outbox = waba.outbox.memory(), campaign = "x", rate = 1 }] = "option rate can't be combined with the option outbox",
      [{ campaign = ("x"):rep(1025), journal = "x" }] = "option campaign has 1025 bytes: expected 1 to 1024",
      [{ send = { replyto = "x" } }] = "client:send_all: option send: unknown option replyto",
    } do
      assert.error_matches(function() client:send_all(source, options) end, message)
    end
    assert.error_matches(function() client:send_all({}) end, "the source must be a function")
  end)
end)

describe("client:estimate", function()
  it("returns the duration of a run", function()
    local client = support.client(support.gateway(), { pace = { messages = { rate = 50, burst = 150 } } })
    assert.equal(0, client:estimate(0))
    local seconds = client:estimate(100000)
    assert.is_true(seconds > 1990 and seconds < 2000)
    assert.equal(0.2, client:estimate(1))
    seconds = client:estimate(1001, { rate = 10, latency = 0 })
    assert.is_true(seconds > 99.9 and seconds < 100.1)
    local free = support.client(support.gateway())
    assert.equal(100, free:estimate(1000, { concurrency = 1, latency = 0.1 }))
    assert.error_matches(function() client:estimate(-1) end, "the number of messages must be a whole number")
    assert.error_matches(function() client:estimate(1, { rate = 0 }) end, "option rate")
  end)
end)
