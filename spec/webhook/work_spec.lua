-- lua/waba/inbox/work in every event loop: each event is handled once, and at most `concurrency` handlers run at a
-- time.

local core = require "waba.core"
local errors = require "waba.errors"
local transports = require "spec.support.transports"
local process = require "spec.support.process"
local redis = require "spec.support.redis"
local waba = require "waba"

local function message(id, from)
  return { kind = "message", hosting = "on_premise", id = id, from = from or id, type = "text", raw = { id = id } }
end

local function messages(...)
  local list = {}
  for index, id in ipairs { ... } do list[index] = message(id) end
  return list
end

local function busy(seconds)
  local deadline = core.clock() + seconds
  while core.clock() < deadline do end
end

-- `run` runs functions in the event loop.
local LOOPS = {}
for _, name in ipairs { "blocking", "native", "cqueues", "luv", "copas" } do
  LOOPS[#LOOPS + 1] = { name = name, run = transports.runners[name] }
end

local function client_of(loop)
  if loop.name ~= "luv" then return nil end
  return waba.client { api_key = "a-key", loop = "luv", base_url = "http://127.0.0.1:1", pace = false }
end

-- For each backend, a function that returns `open` and `close`. Each inbox that `open` returns has the same store; in
-- memory it is the same inbox.
local STORES = {}

function STORES.memory()
  local box = waba.inbox.memory { retry = { base = 0.01 } }
  return function() return box end, function() end
end

function STORES.sqlite()
  local folder = process.folder()
  local function open()
    return waba.inbox.sqlite { file = folder:file "inbox.db", sync = false, retry = { base = 0.01 } }
  end
  return open, function() folder:remove() end
end

function STORES.redis()
  local server = redis.start()
  return function() return waba.inbox.redis { port = server.port, retry = { base = 0.01 } } end,
    function() server:stop() end
end

for _, loop in ipairs(LOOPS) do
  describe("receiver:work with " .. loop.name, function()
    local client, sleep

    before_each(function()
      client = client_of(loop)
      sleep = client and function(seconds) client.transport:sleep(seconds) end or waba.sleep
    end)

    after_each(function()
      if client then client:close() end
    end)

    local function receiver(box, on)
      return waba.receiver { open = false, inbox = box, client = client, on = on }
    end

    -- Waits until a condition is true, while other coroutines run.
    local function wait_for(condition)
      local deadline = core.clock() + 5
      while not condition() and core.clock() < deadline do sleep(0.005) end
      return condition()
    end

    for _, store in ipairs { "memory", "sqlite" } do
      it("runs a handler once although it is slower than its lease, with its inbox in " .. store, function()
        local open, close = STORES[store]()
        local box, other = open(), open()
        local runs, stolen = 0, 0
        local one = receiver(box, { text = function()
          runs = runs + 1
  for _ = 1, 5 do
            sleep(0.1)
            stolen = stolen + #other:take(1, 60)
          end
        end })
        box:put { message "a" }
        local function work() one:work { lease = 0.3 } end
        loop.run { work, work }
        assert.equal(1, runs)
        assert.equal(0, stolen)
        assert.equal(0, box:depth())
        assert.same({}, box:set_aside())
        box:close()
        other:close()
        close()
      end)
    end

    it("renews a lease again after the store has failed to renew it", function()
      local box, refused, runs, stolen = waba.inbox.memory(), 0, 0, 0
      local extend = box.extend
      function box.extend(...)
        if refused < 1 then
          refused = refused + 1
          return nil, errors.new { kind = "unavailable", message = "the store is away", retryable = true }
        end
        return extend(...)
      end
      box:put { message "a" }
      local one = receiver(box, { text = function()
        runs = runs + 1
        if runs == 1 then
          for _ = 1, 25 do
            sleep(0.04)
            stolen = stolen + #box:take(1, 60)
          end
        end
      end })
      local function work() one:work { lease = 0.6 } end
      loop.run { work, work }
      assert.equal(1, refused)
      assert.equal(1, runs)
      assert.equal(0, stolen)
    end)

    it("acknowledges an event before the next handler has ended", function()
      local box = waba.inbox.memory()
      local stored
      local one = receiver(box, { text = function(event)
        if event.id == "slow" then stored = wait_for(function() return box:depth() == 1 end) end
      end })
      box:put(messages("quick", "slow"))
      loop.run { function() one:work { concurrency = loop.name ~= "blocking" and 2 or nil } end }
      assert.is_true(stored)
      assert.equal(0, box:depth())
    end)

    if loop.name ~= "blocking" then
      it("divides a burst among all coroutines that work", function()
        local box = waba.inbox.memory()
        local running = 0
        local one = receiver(box, { text = function()
          running = running + 1
          assert(wait_for(function() return running == 4 end))
        end })
        box:put(messages("a", "b", "c", "d"))
        local function work() one:work() end
        loop.run { work, work, work, work }
        assert.equal(4, running)
        assert.equal(0, box:depth())
      end)
    end

    it("handles at most as many events at once as allowed", function()
      local box = waba.inbox.memory()
      local running, most, order = 0, 0, {}
      local one = receiver(box, { text = function(event)
        running = running + 1
        most = math.max(most, running)
        if event.id ~= "e" then wait_for(function() return most == 3 end) end
        sleep(0.02)
        order[#order + 1] = event.id
        running = running - 1
      end })
      box:put(messages("a", "b", "c", "d", "e"))
      local handled
      loop.run { function() handled = one:work { concurrency = 3 } end }
      assert.equal(5, handled)
      assert.equal(3, most)
      assert.equal(5, #order)
    end)

    it("runs a failed handler again after all events that are due", function()
      local box = waba.inbox.memory { retry = { base = 0.01 } }
      local tries = 0
      local one = receiver(box, { text = function(_, attempts)
        tries = attempts
        sleep(0.001)
        if attempts == 1 then error "not yet" end
      end })
      box:put { message "a" }
      loop.run { function() one:work { forever = true, interval = 0.01, stop = function() return tries == 2 end } end }
      assert.equal(0, box:depth())
    end)
  end)
end

for _, store in ipairs { "memory", "sqlite", "redis" } do
  describe("receiver:work with its inbox in " .. store, function()
    local open, close, box, other

    before_each(function()
      open, close = STORES[store]()
      box, other = open(), open()
    end)

    after_each(function()
      box:close()
      other:close()
      close()
    end)

    it("counts an event as done if its handler returned, although another worker has taken it", function()
      local runs, taken = 0, nil
      local one = waba.receiver { open = false, inbox = box, on = { text = function()
        runs = runs + 1
        busy(0.06)
        taken = other:take(1, 60)
      end } }
      box:put { message "a", message("b", "a") }
      one:work { lease = 0.05, stop = function() return runs == 1 end }
      assert.equal(1, #taken)
      assert.equal(1, box:depth())
      assert.is_nil((other:ack(taken[1])))
      one:work()
      assert.equal(2, runs)
      assert.equal(0, box:depth())
    end)

    it("does not take its own event again if a handler blocks the other coroutines", function()
      local runs = {}
      local one = waba.receiver { open = false, inbox = box, on = { text = function(event)
        runs[event.id] = (runs[event.id] or 0) + 1
        if event.id == "waits" then waba.sleep(0.15) else busy(0.1) end
      end } }
      box:put(messages("waits", "computes"))
      local function work() one:work { lease = 0.05 } end
      waba.run(work, work, work)
      assert.same({ waits = 1, computes = 1 }, runs)
      assert.equal(0, box:depth())
    end)

    it("handles many events of quick handlers, each once", function()
      local runs, list = {}, {}
      local one = waba.receiver { open = false, inbox = box, on = { text = function(event)
        runs[event.id] = (runs[event.id] or 0) + 1
      end } }
      for number = 1, 400 do list[number] = message("m" .. number, "c" .. number % 150) end
      box:put(list)
      assert.equal(400, one:work { batch = 2 })
      for _, event in ipairs(list) do assert.equal(1, runs[event.id]) end
      assert.equal(0, box:depth())
    end)

    it("acknowledges the events of quick handlers together outside of an event loop", function()
      local one = waba.receiver { open = false, inbox = box, on = { text = function() end } }
      local calls, list, settle = 0, {}, box.store.settle
      for number = 1, 64 do list[number] = message("m" .. number) end
      box:put(list)
      function box.store.settle(...)
        calls = calls + 1
        return settle(...)
      end
      assert.equal(64, one:work())
      assert.is_true(calls < 32)
      assert.equal(0, box:depth())
    end)

    it("acknowledges the event of a slow handler before the next handler begins", function()
      local depths = {}
      local one = waba.receiver { open = false, inbox = box, on = { text = function()
        depths[#depths + 1] = box:depth()
        busy(0.03)
      end } }
      box:put(messages("a", "b", "c"))
      assert.equal(3, one:work())
      assert.same({ 3, 2, 1 }, depths)
    end)

    it("returns the events that wait behind a slow handler", function()
      local seen, elsewhere = {}, {}
      local one = waba.receiver { open = false, inbox = box, on = { text = function(event)
        seen[#seen + 1] = event.id
        if event.id ~= "slow" then return end
        local deadline = core.clock() + 5
        while #elsewhere < 5 and core.clock() < deadline do
          waba.sleep(0.02)
          for _, taken in ipairs(other:take(10, 60)) do elsewhere[#elsewhere + 1] = taken.id end
        end
      end } }
      box:put(messages("a", "b", "c", "slow", "d", "e", "f", "g", "h"))
      one:work { stop = function() return #elsewhere > 0 end }
      table.sort(elsewhere)
      assert.same({ "a", "b", "c", "slow" }, seen)
      assert.same({ "d", "e", "f", "g", "h" }, elsewhere)
    end)
  end)
end

describe("receiver:work outside any event loop", function()
  for _, loop in ipairs { "blocking", "luv", "cqueues" } do
    it("keeps an event while its handler waits for a response, with a client of " .. loop, function()
      local open, close = STORES.sqlite()
      local box, other = open(), open()
      -- A server that accepts connections and never responds.
      local listener = assert(require("socket").bind("127.0.0.1", 0))
      local client = waba.client {
        api_key = "a-key", base_url = "http://127.0.0.1:" .. select(2, listener:getsockname()), loop = loop,
        pace = false, retry = false, timeout = 0.4,
      }
      local sent, err, taken
      local receiver = waba.receiver { open = false, inbox = box, client = client, on = { text = function(event)
        sent, err = event:reply(waba.text "Hello")
        taken = other:take(1, 60)
      end } }
      box:put { message("a", "4915112345678") }
      assert.equal(1, receiver:work { lease = 0.15 })
      assert.is_nil(sent)
      assert.equal("timeout", err.kind)
      assert.same({}, taken)
      assert.equal(0, box:depth())
      client:close()
      listener:close()
      box:close()
      other:close()
      close()
    end)
  end
end)

describe("receiver:work", function()
  it("reports a handler that blocks the process longer than its lease", function()
    local box = waba.inbox.memory()
    box:put(waba.events '{"messages":[{"id":"a","from":"1","type":"text","text":{"body":"x"}}]}')
    local receiver = waba.receiver { open = false, inbox = box, on = { text = function() process.sleep(0.1) end } }
    local reported
    local work = require("waba.inbox.work").new(receiver, {
      concurrency = 1, batch = 1, lease = 0.02, interval = 0.25, log = function(text) reported = text end,
    })
    assert(work:run())
    assert.equal(0, box:depth())
    assert.matches("^a handler blocked the process for more than 0%.%d+ s, longer than its lease of 0%.02 s", reported)
  end)

  it("stores an acknowledgement as soon as the store works again", function()
    local box = waba.inbox.memory()
    local ack, refused = box.ack, 0
    function box.ack(...)
      if refused < 3 then
        refused = refused + 1
        return nil, errors.new { kind = "unavailable", message = "the store is away", retryable = true }
      end
      return ack(...)
    end
    local runs = 0
    local receiver = waba.receiver { open = false, inbox = box, on = { text = function() runs = runs + 1 end } }
    box:put(messages("a", "b"))
    assert.equal(2, receiver:work())
    assert.equal(3, refused)
    assert.equal(2, runs)
    assert.equal(0, box:depth())
  end)

  it("handles no event twice if the store fails for longer than a lease", function()
    local box = waba.inbox.memory()
    local runs, is_away = 0, false
    for _, name in ipairs { "take", "settle" } do
      local real = box.store[name]
      box.store[name] = function(...)
        if is_away then return nil, errors.new { kind = "unavailable", message = "the store is away", retryable = true } end
        return real(...)
      end
    end
    local receiver = waba.receiver { open = false, inbox = box, on = { text = function()
      runs, is_away = runs + 1, runs < 2
    end } }
    box:put(messages("a", "b"))
    local work = require("waba.inbox.work").new(receiver, {
      concurrency = 2, batch = 2, lease = 0.1, interval = 0.02, forever = true, log = function() end,
      stop = function() return not is_away and box:depth() == 0 end,
    })
    waba.run(function() assert(work:run()) end, function()
      while runs < 2 do waba.sleep(0.005) end
      waba.sleep(0.4)
      is_away = false
    end)
    assert.equal(2, runs)
  end)

  it("ends although the store refuses every acknowledgement", function()
    local box, calls = waba.inbox.memory { retry = { attempts = 1 } }, 0
    function box.ack(_, done)
      calls = calls + 1
      assert(#done == 1)
      return nil, errors.new { kind = "unavailable", message = "the store is away", retryable = true }
    end
    local receiver = waba.receiver { open = false, inbox = box, on = {} }
    box:put(messages "a")
    assert.equal(1, receiver:work { lease = 0.3 })
    assert.is_true(calls > 1 and calls < 10, calls) -- the receiver pauses between two calls
  end)

  it("tries once to acknowledge if another try can't succeed", function()
    for _, result in ipairs { errors.new { kind = "invalid", message = "m" }, "no object", false } do
      local box, calls = waba.inbox.memory(), 0
      function box.ack()
        calls = calls + 1
        return nil, result or nil
      end
      local receiver = waba.receiver { open = false, inbox = box, on = {} }
      box:put(messages("a", "b"))
      assert.equal(2, receiver:work { batch = 2, lease = 60 })
      assert.is_true(calls <= 2)
    end
  end)

  it("acknowledges nothing twice, and nothing if there is nothing", function()
    local box, sizes = waba.inbox.memory(), {}
    for _, name in ipairs { "ack", "exchange" } do
      local real = box[name]
      box[name] = function(self, done, ...)
        sizes[name] = (sizes[name] or 0) + #done
        if name == "ack" then assert(#done > 0) end
        return real(self, done, ...)
      end
    end
    local list = {}
    for number = 1, 20 do list[number] = message("m" .. number, "c" .. number % 7) end
    box:put(list)
    assert.equal(20, (waba.receiver { open = false, inbox = box, on = {} }:work { batch = 3 }))
    assert.equal(20, (sizes.ack or 0) + (sizes.exchange or 0))
    assert.equal(20, box:stats().handled)
  end)

  it("reads in one call the records of the customers whose events it has taken", function()
    local open, close = STORES.sqlite()
    local box, calls, singles = open(), 0, 0
    local get_all, get = box.store.get_all, box.store.get
    function box.store.get_all(...)
      calls = calls + 1
      return get_all(...)
    end
    function box.store.get(...)
      singles = singles + 1
      return get(...)
    end
    local receiver = waba.receiver { open = false, inbox = box, on = { text = function(event) event.state.n = 1 end } }
    box:put(messages("a", "b", "c", "d", "e"))
    assert.equal(5, receiver:work { batch = 8 })
    assert.is_true(calls <= 3, calls) -- more than one call if the first `take` returns fewer than five events
    for _, id in ipairs { "a", "b", "c", "d", "e" } do assert.equal('{"state":{"n":1}}', box:get(id .. ":state")) end
    assert.is_true(singles < 5 + 5, singles)
    box:close()
    close()
  end)

  it("counts handled and failed events, and returns the last error", function()
    local box = waba.inbox.memory { retry = { attempts = 2, base = 0 } }
    local receiver = waba.receiver { open = false, inbox = box, on = { text = function(event)
      if event.id:find "bad" then error("no " .. event.id, 0) end
    end } }
    box:put(messages("a", "bad", "c"))
    local handled, failed, raised = receiver:work()
    assert.same({ 2, 2 }, { handled, failed })
    assert.matches("^no bad", raised)
    assert.same({ 0, 0 }, { receiver:work() })
    assert.equal(1, #box:set_aside())
  end)

  it("stores as reason what a handler has raised, also if it is not a text", function()
    local raised = {
      plain = "the shelf is empty", object = errors.new { kind = "invalid", message = "no shelf" },
      table = { message = "the shelf is closed" }, empty = {}, none = false,
    }
    local box = waba.inbox.memory { retry = { attempts = 1 } }
    box:put(messages("plain", "object", "table", "empty", "none"))
    local receiver = waba.receiver { open = true, inbox = box, on = { any = function(event)
      error(raised[event.id] or nil, 0)
    end } }
    receiver:work {}
    local reasons = {}
    for _, dead in ipairs(box:set_aside()) do reasons[dead.event.id] = dead.reason end
    assert.same({
      plain = "the shelf is empty", object = "invalid: no shelf", table = "the shelf is closed",
      empty = "a table without a field message", none = "an error without a value",
    }, reasons)
  end)

  local end_coroutine = rawget(coroutine, "close")
  if end_coroutine then
    it("handles an event again if its handler's coroutine was ended from outside", function()
      local box = waba.inbox.memory { retry = { base = 0.01 } }
      local tries, thread = 0, nil
      local receiver = waba.receiver { open = false, inbox = box, on = { text = function(_, attempts)
        tries, thread = attempts, coroutine.running()
        waba.sleep(attempts == 1 and 60 or 0)
      end } }
      box:put(messages "a")
      waba.run(function()
        receiver:work { lease = 0.1, forever = true, interval = 0.02, stop = function() return tries == 2 end }
      end, function()
        while not thread do waba.sleep(0.005) end
        end_coroutine(thread)
      end)
      assert.equal(2, tries)
      assert.equal(0, box:depth())
    end)
  end
end)

describe("receiver:work in a program of its own", function()
  local PROGRAM = [[
local waba = require "waba"
io.stdout:setvbuf "no"
local function handle(event)
  print("begin " .. event.id)
  if arg[3] then os.execute("exec sleep " .. arg[3]) else waba.sleep(1) end
  print("end " .. event.id)
end
local receiver = waba.receiver { open = false, inbox = waba.inbox.sqlite(arg[1]), on = { text = handle } }
assert(receiver:work { forever = true, concurrency = tonumber(arg[2]) })
print "finished"
]]

  it("ends at a second signal, also while a handler blocks the process", function()
    local folder = process.folder()
    local box = waba.inbox.sqlite(folder:file "inbox.db")
    box:put(messages "a")
    local words = { process.interpreter(), folder:file("program.lua", PROGRAM), folder:file "inbox.db", 1, 5 }
    local program = process.start(table.concat(words, " "), folder:file "program.log")
    process.wait_for(function() return program:output():find "begin" end, "the handler")
    process.run("kill -TERM " .. program.pid)
    process.sleep(0.3)
    program:stop "TERM"
    assert.equal("begin a\n", program:output())
    box:close()
    folder:remove()
  end)

  for _, concurrency in ipairs { 1, 2 } do
    it("finishes running handlers at SIGTERM and returns the other events, with concurrency " .. concurrency, function()
      local folder = process.folder()
      local box = waba.inbox.sqlite(folder:file "inbox.db")
      box:put(messages("a", "b", "c", "d"))
      local words = { process.interpreter(), folder:file("program.lua", PROGRAM), folder:file "inbox.db", concurrency }
      local program = process.start(table.concat(words, " "), folder:file "program.log")
      process.wait_for(function() return program:output():find "begin" end, "the first handler")
      program:stop "TERM"
      local output = program:output()
      local _, begun = output:gsub("begin", "")
      local _, ended = output:gsub("end ", "")
      assert.matches("finished\n$", output)
      assert.equal(begun, ended)
      assert.equal(4 - ended, box:depth())
      for _, row in ipairs(box:list()) do
        assert.equal("waiting", row.state)
        assert.equal(0, row.attempts)
      end
      box:close()
      folder:remove()
    end)
  end
end)

describe("an event whose handlers have raised an error", function()
  it("is freed", function()
    local seen = setmetatable({}, { __mode = "k" })
    local receiver = waba.receiver { open = true, inbox = waba.inbox.memory { retry = { attempts = 1 } }, on = {
      text = function(event)
        seen[event] = true
        error "not handled"
      end,
    } }
    assert(receiver.inbox:put(messages("a", "b")))
    assert.equal(2, (select(2, receiver:work())))
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(seen))
  end)
end)
