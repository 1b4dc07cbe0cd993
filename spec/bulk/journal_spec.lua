-- client:send_all with a journal: how a second run continues after the first.

local journals = require "waba.bulk.journal"
local process = require "spec.support.process"
local support = require "spec.support.bulk"
local waba = require "waba"

local close = rawget(coroutine, "close") -- exists in Lua 5.4
local LOST = { kind = "network", message = "reset", sent = "maybe" }

describe("the journal of client:send_all", function()
  local folder, path

  before_each(function()
    folder = process.folder()
    path = folder:file "journal"
  end)

  after_each(function() folder:remove() end)

  -- Sends `count` texts with a journal. Returns the gateway, the errors by key, the summary of the run and its error.
  local function run(count, options, response, key)
    local gateway = support.gateway { respond = response }
    local client = support.client(gateway)
    local errs, keys = {}, {}
    options = options or {}
    options.journal = path
    options.patience = 0
    function options.on_result(name, _, err, to)
      keys[#keys + 1] = name
      if err then errs[name] = { err = err, to = to } end
    end
    local summary, err = client:send_all((support.source(count, key)), options)
    return gateway, errs, summary, err, keys
  end

  -- Writes the journal of a run of ten messages that was stopped: the third message was refused, the result of the
  -- fifth is uncertain.
  local function interrupted()
    local _, _, summary = run(10, { concurrency = 1 }, function(count)
      if count == 3 then return support.response(400, '{"errors":[{"code":1013,"title":"User is not valid"}]}') end
      if count == 5 then return nil, LOST end
    end)
    assert.same({ 8, 1, 1 }, { summary.sent, summary.failed, summary.maybe_sent })
  end

  it("can be read by people", function()
    interrupted()
    local text = folder:read "journal"
    assert.matches("^waba journal 1 positions\nopened %d+%-%d%d%-%d%dT%d%d:%d%d:%d%dZ\ncheck 1 %x+\nbegun 1\nsent 1 id%-1\n", text)
    assert.matches("\nfailed 3 recipient 1013\n", text)
    assert.matches("\nmaybe 5 network\n", text)
    assert.is_nil(text:find("49151", 1, true)) -- the journal contains no phone number
  end)

  it("excludes sent, failed and uncertain messages from the next run", function()
    interrupted()
    local gateway, errs, summary = run(14)
    assert.equal(4, gateway.received)
    assert.same({}, errs)
    assert.same({ 14, 4, 10 }, { summary.done, summary.sent, summary.skipped })
    gateway, errs, summary = run(14)
    assert.same({}, errs)
    assert.equal(0, gateway.received)
    assert.equal(14, summary.skipped)
  end)

  it("sends failed and uncertain messages again with the options for it", function()
    interrupted()
    for name, position in pairs { retry_failed = 3, retry_maybe_sent = 5 } do
      local gateway, _, summary, _, keys = run(10, { [name] = true })
      assert.equal(1, gateway.received)
      assert.same({ position }, keys)
      assert.equal(9, summary.skipped)
    end
    assert.equal(0, run(10, { retry_failed = true, retry_maybe_sent = true }).received)
  end)

  it("reports messages that were begun without a result, once, and does not send them", function()
    folder:write("journal", "waba journal 1 positions\nopened x\nbegun 1\nbegun 2\nbegun 3\nsent 2 id\nwithdrawn 3\n")
    local gateway, errs, summary = run(5)
    assert.equal(3, gateway.received)
    assert.is_true(errs[1].err.maybe_sent)
    assert.matches("an earlier run ended before the response", tostring(errs[1].err))
    assert.equal(support.recipient(1), errs[1].to)
    assert.same({ 5, 3, 0, 1, 1 },
      { summary.done, summary.sent, summary.failed, summary.maybe_sent, summary.skipped })
    local _, again, rest = run(5)
    assert.same({}, again)
    assert.equal(5, rest.skipped)
  end)

  it("reports an uncertain result before it is recorded, so that a crash between the two loses nothing", function()
    local client = support.client(support.gateway { respond = function() return nil, LOST end })
    local when_told
    client:send_all((support.source(1)), { journal = path, patience = 0, on_result = function()
      when_told = support.states(folder:read "journal")["1"]
    end })
    assert.equal("begun", when_told)
    assert.equal("maybe", support.states(folder:read "journal")["1"])
  end)

  it("contains a result before `on_result` is called, and before the next message is sent", function()
    for _, on_result in ipairs { false, function(key)
      assert.equal("sent", support.states(folder:read "journal")[tostring(key)])
    end } do
      local states = {}
      local client = support.client(support.gateway { respond = function(count)
        states[count] = select(2, support.states(folder:read "journal"))
      end })
      assert(client:send_all((support.source(3)), { journal = path, concurrency = 1, on_result = on_result or nil }))
      for count = 1, 3 do assert.same({ count - 1, 1 }, { states[count].sent, states[count].begun }) end
      os.remove(path)
    end
  end)

  if _VERSION ~= "Lua 5.1" or rawget(_G, "jit") then
    it("contains a result while the source or `stop` waits", function()
      for _, name in ipairs { "source", "stop" } do
        local client = support.client(support.gateway { delay = 0.001 })
        local source, calls = support.source(2), 0
        local function wait_for_result()
          calls = calls + 1
          if calls ~= 2 then return end
          for _ = 1, 1000 do
            if folder:read("journal"):find "\nsent 1 " then return end
            waba.sleep(0.001)
          end
          error("no result was written during the wait", 0)
        end
        local summary = assert(client:send_all(function()
          if name == "source" then wait_for_result() end
          return source()
        end, { journal = path, concurrency = 1, stop = name == "stop" and wait_for_result or nil }))
        assert.equal(2, summary.sent)
        os.remove(path)
      end
    end)
  end

  it("reports uncertain messages that the source no longer returns", function()
    folder:write("journal", "waba journal 1 keys\nbegun a%20b\nbegun gone\n")
    local _, errs, summary = run(1, {}, nil, function() return "a b" end)
    assert.equal(support.recipient(1), errs["a b"].to)
    assert.is_nil(errs.gone.to)
    assert.is_true(errs.gone.err.maybe_sent)
    assert.equal(2, summary.maybe_sent)
    folder:write("journal", "waba journal 1 positions\nbegun 7\n")
    errs = select(2, run(1))
    assert.is_true(errs[7].err.maybe_sent)
  end)

  describe("records a message as begun when its request may be sent:", function()
    it("not while it waits for the rate limiter", function()
      local begun
      local gateway
      gateway = support.gateway { respond = function(count)
        if count == 3 then begun = select(2, folder:read("journal"):gsub("\nbegun ", "")) end
      end }
      local client = support.client(gateway, { pace = { messages = { rate = 50, burst = 3 } } })
      assert(client:send_all((support.source(60)), { journal = path, stop = function() return gateway.received >= 3 end }))
      assert.equal(3, begun)
    end)

    it("not while it waits for the next attempt", function()
      local gateway = support.gateway { respond = function(count)
        if count == 1 then return nil, { kind = "network", message = "refused", sent = "no" } end
      end }
      local client = support.client(gateway, { retry = { attempts = 2, base = 0.001 } })
      assert(client:send_all((support.source(1)), { journal = path }))
      assert.matches("\nbegun 1\nwithdrawn 1\nbegun 1\nsent 1 id%-2\n$", folder:read "journal")
    end)

    it("not while nothing is sent because the gateway can't be reached", function()
      local states
      local gateway = support.gateway { respond = function()
        return nil, { kind = "network", message = "refused", sent = "no" }
      end }
      local client = support.client(gateway, { retry = { attempts = 2, base = 0.001 } })
      client:send_all((support.source(20)), { journal = path, patience = 0.2, on_progress = function(progress)
        if progress.err then states = select(2, support.states(folder:read "journal")) end
      end })
      assert.equal(0, states.begun)
    end)

    it("all messages that may be sent at once in one write", function()
      local client = support.client(support.gateway { delay = 0.01 })
      assert(client:send_all((support.source(40)), { journal = path, concurrency = 40 }))
      assert.matches("\nbegun 1\n[^s]*begun 40\n", (folder:read("journal"):gsub("check[^\n]*\n", "")))
    end)
  end)

  describe("with campaigns", function()
    it("sends another message to all, and records the sent messages of each campaign", function()
      assert.equal(5, run(5, { campaign = "spring en" }).received)
      assert.equal(5, run(5, { campaign = "summer en" }).received)
      assert.equal(0, run(5, { campaign = "spring en" }).received)
      local gateway, _, summary = run(7, { campaign = "summer en" })
      assert.equal(2, gateway.received)
      assert.equal(5, summary.skipped)
      assert.matches("\nopened %S+ spring%%20en\n", folder:read "journal")
    end)

    it("counts runs without a campaign as runs of each campaign", function()
      interrupted()
      local gateway, _, summary = run(10, { campaign = "spring" })
      assert.equal(0, gateway.received)
      assert.same({ 10, 1, 1 }, { summary.skipped, summary.failed_before, summary.maybe_sent_before })
    end)

    it("does not compare the recipients of different campaigns", function()
      run(4, { campaign = "a" })
      local client, position = support.client(support.gateway()), 0
      local summary = assert(client:send_all(function()
        position = position + 1
        if position <= 2 then return "4930555000" .. position, waba.text "Hello" end
      end, { journal = path, campaign = "b" }))
      assert.equal(2, summary.sent)
    end)

    it("names the campaign of the last run", function()
      assert.is_nil(journals.last_section(path))
      run(2)
      assert.is_nil(journals.last_section(path))
      run(3, { campaign = "a" })
      run(4, { campaign = "b c" })
      local section, other = journals.last_section(path, "a")
      assert.same({ "b c", 2, 0 }, { section.campaign, section.sent, section.failed })
      assert.same({ "a", 1, 0 }, { other.campaign, other.sent, other.failed })
      assert.is_nil((select(2, journals.last_section(path, "c"))))
    end)

    it("requires a journal and a name", function()
      local client = support.client(support.gateway())
      assert.error_matches(function() client:send_all(support.source(1), { campaign = "x" }) end,
        "option campaign requires the option journal")
      assert.error_matches(function() client:send_all(support.source(1), { campaign = "", journal = path }) end,
        "option campaign has 0 bytes: expected 1 to 1024")
    end)
  end)

  it("counts failed and uncertain messages of earlier runs", function()
    interrupted()
    local _, _, summary = run(10)
    assert.same({ 1, 1 }, { summary.failed_before, summary.maybe_sent_before })
  end)

  it("sends uncertain messages with the option for it", function()
    folder:write("journal", "waba journal 1 positions\nbegun 1\n")
    local gateway, errs = run(2, { retry_maybe_sent = true })
    assert.equal(2, gateway.received)
    assert.same({}, errs)
  end)

  it("accepts any text as a key", function()
    local odd = { "a b", "100%", "%41", "line\nend", "\t", "Zoë", "7", "07", "-7", "nul\0byte", "1234567890123456789" }
    local function key(position) return odd[position] end
    assert.equal(#odd, run(#odd, {}, nil, key).received)
    local gateway, _, summary = run(#odd, {}, nil, key)
    assert.equal(0, gateway.received)
    assert.equal(#odd, summary.skipped)
  end)

  it("sends no key twice in one run, and reports it", function()
    local function key(position) return position % 2 == 0 and "same" or position end
    local gateway, errs, summary = run(6, { concurrency = 1 }, nil, key)
    assert.equal(4, gateway.received)
    assert.equal(2, summary.failed)
    assert.equal("key", errs.same.err.path)
    assert.equal("key same repeats the key of an earlier message of this run: expected unique keys", errs.same.err.message)
    local _, counts = support.states(folder:read "journal")
    assert.equal(4, counts.sent)
  end)

  it("treats a number and its digits as one key", function()
    local gateway, errs = run(2, {}, nil, function(position) return position == 1 and 41 or "41" end)
    assert.equal(1, gateway.received)
    assert.equal("key", errs["41"].err.path)
  end)

  it("refuses a source with other recipients", function()
    run(20)
    local position = 0
    local client = support.client(support.gateway())
    local summary, err = client:send_all(function()
      position = position + 1
      -- The second run has an additional recipient before the third recipient of the first run.
      return support.recipient(position > 2 and position - 1 or position), waba.text "Hello"
    end, { journal = path })
    assert.is_nil(summary)
    assert.equal("journal", err.path)
    assert.matches("is of another source: recipient 4 differs", err.message)
    assert.equal(0, err.summary.sent)
  end)

  it("compares recipients of each form", function()
    local forms = { "+49 151 1234567", "4915112345678", { user_id = "DE.1" }, { user_id = "DE.2" }, { group_id = "DE.2" },
      "0151", 151, true }
    for index = 1, 5 do -- the last three forms are invalid, so no journal contains them
      for other, second in ipairs(forms) do
        local function send(to)
          local taken = false
          return support.client(support.gateway(), { hosting = "cloud" }):send_all(function()
            if not taken then
              taken = true
              return to, waba.text "Hello"
            end
          end, { journal = path, retry_failed = true })
        end
        assert(send(forms[index]))
        local summary, err = send(second)
        assert.equal(index == other, summary ~= nil, index .. " " .. other)
        if err then assert.matches("is of another source: recipient 1 differs", err.message) end
        os.remove(path)
      end
    end
    run(1)
    local same = support.client(support.gateway()):send_all((support.source(1)), { journal = path })
    assert.equal(1, same.skipped)
  end)

  it("does not treat keys as positions", function()
    run(2)
    local gateway, _, summary, err = run(2, {}, nil, function(position) return "k" .. position end)
    assert.is_nil(summary)
    assert.matches("has positions, but the source returns keys", err.message)
    assert.equal(0, gateway.received)
  end)

  it("is used by one run at a time", function()
    local held = assert(journals.open(path))
    local gateway, _, summary, err = run(2)
    assert.is_nil(summary)
    assert.equal("invalid", err.kind)
    assert.matches("is in use by another run", err.message)
    assert.equal(0, gateway.received)
    held:close()
    assert.equal(2, run(2).received)
  end)

  it("can be opened again after its coroutine was ended", function()
    local client = support.client(support.gateway { delay = 60 })
    assert.error_matches(function()
      waba.run(function()
        client:send_all((support.source(20)), { journal = path, concurrency = 4 })
      end, function()
        waba.sleep(0.001)
        error "enough"
      end)
    end, "enough")
    local gateway, _, summary = run(20)
    assert.equal(20, summary.done)
    assert.equal(gateway.received, summary.sent)
    assert.is_true(summary.maybe_sent >= 4)
  end)

  it("does not change files of other kinds", function()
    for _, content in ipairs {
      "number,name\n491511234567,Eva\n", "no line end", ("x"):rep(200000), "waba journal 2 positions\n", "\n",
      "waba journal 1 colours\n",
    } do
      folder:write("journal", content)
      local _, _, summary, err = run(2)
      assert.is_nil(summary)
      assert.equal("journal", err.path)
      assert.matches("is not a journal that this version of waba can read", err.message)
      assert.equal(content, folder:read "journal")
    end
    folder:write("journal", "waba journal 1 positions\nsent 1 id\nnonsense\nsent 2 id\n")
    local _, _, _, err = run(2)
    assert.matches("line 3 is not a journal record", err.message)
  end)

  it("refuses every line that it does not write", function()
    for _, line in ipairs {
      "", "sent", "sent ", "sent 1", "sent  id", "Sent 1 id", "failed 1", "maybe 1", "begun", "begun 1 2", "withdrawn", "withdrawn 1 2",
      "check", "check 1", "check x 0f", "check 1 xyz", "check 1 0f 2", "ended 1",
    } do
      folder:write("journal", "waba journal 1 positions\n" .. line .. "\n")
      local _, _, summary, err = run(1)
      assert.is_nil(summary, line)
      assert.matches("line 2 is not a journal record", err.message)
    end
  end)

  it("reports why it can't be written", function()
    local client = support.client(support.gateway())
    for _, place in ipairs { folder:file "missing/journal", folder.path, "/dev/full" } do
      local summary, err = client:send_all((support.source(2)), { journal = place })
      assert.is_nil(summary)
      assert.equal("invalid", err.kind)
      assert.equal("journal", err.path)
      assert.matches("can't be written: ", err.message)
    end
  end)

  it("can be read if its end is missing at any byte", function()
    interrupted()
    local text = folder:read "journal"
    for length = 0, #text, 11 do
      folder:write("journal", text:sub(1, length))
      local whole = text:sub(1, length):match "^(.*\n)[^\n]*$" or ""
      local states, counts = support.states(whole)
      local gateway, errs, summary = run(10)
      local known = 0
      for position = 1, 10 do
        local state = states[tostring(position)]
        if state == "begun" then assert.is_true(errs[position].err.maybe_sent) end
        if state then known = known + 1 end
      end
      assert.equal(10 - known, gateway.received)
      assert.equal(counts.begun, summary.maybe_sent)
      local _, final = support.states(folder:read "journal")
      assert.equal(10, final.sent + final.failed + final.maybe)
    end
  end)

  it("can be read with zeros in place of lines that were not written to the disk", function()
    folder:write("journal", "waba journal 1 positions\nbegun 1\nbegun 2\nsent 1 i" .. ("\0"):rep(5000) .. "t 2 id\nbegun 3\nsen")
    local gateway, errs, summary = run(4)
    assert.equal(1, gateway.received)
    assert.equal(3, summary.maybe_sent)
    for position = 1, 3 do assert.is_true(errs[position].err.maybe_sent) end
  end)

  it("withdraws messages that were begun but not sent", function()
    local gateway
    gateway = support.gateway { delay = 0.001 }
    local client = support.client(gateway)
    local summary = assert(client:send_all((support.source(1000)), {
      concurrency = 16, journal = path, stop = function() return gateway.received >= 40 end,
    }))
    assert.is_true(summary.stopped)
    local _, counts = support.states(folder:read "journal")
    assert.equal(0, counts.begun)
    assert.equal(summary.sent, counts.sent)
    local second, errs, rest = run(1000)
    assert.same({}, errs)
    assert.equal(1000, summary.sent + second.received)
    assert.equal(summary.sent, rest.skipped)
  end)

  it("has the key of a message before the request if the caller sets before_attempt and before_retry", function()
    local calls, begun = {}, {}
    local gateway = support.gateway { respond = function(count)
      begun[count] = folder:read "journal":match "begun (%d+)\n$"
      if count == 1 then return nil, { kind = "network", message = "refused", sent = "no" } end
    end }
    local summary = assert(support.client(gateway):send_all((support.source(2)), {
      journal = path, concurrency = 1, send = {
        before_attempt = function(call)
          calls[#calls + 1] = "attempt " .. call.to
          return true
        end,
        before_retry = function(err) calls[#calls + 1] = "retry " .. err.kind end,
      },
    }))
    assert.equal(2, summary.sent)
    assert.same({ "1", "1", "2" }, begun)
    local first, second = support.recipient(1), support.recipient(2)
    assert.same({ "attempt " .. first, "retry network", "attempt " .. first, "attempt " .. second }, calls)
  end)

  it("withdraws nothing and sends nothing if before_attempt of the caller returns an error", function()
    local gateway = support.gateway()
    local summary = assert(support.client(gateway):send_all((support.source(1)), {
      journal = path, send = { before_attempt = function() return nil, { kind = "cancelled", message = "no" } end },
    }))
    assert.same({ 1, 0 }, { summary.failed, gateway.received })
    assert.matches("\nfailed 1 cancelled\n$", folder:read "journal")
  end)

  it("can be read after waiting for the journal has raised an error", function()
    local gateway = support.gateway()
    function gateway.sleep(_, seconds)
      if gateway.received == 2 then error "interrupted" end
      waba.sleep(seconds)
    end
    assert.error_matches(function()
      support.client(gateway):send_all((support.source(10)), { concurrency = 1, journal = path })
    end, "interrupted")
    assert.equal(2, gateway.received)
    local second, _, summary = run(10)
    assert.equal(7, second.received)
    assert.same({ 3, 1, 0 }, { summary.skipped, summary.failed_before, summary.maybe_sent })
  end)

  if close then
    it("contains the results of messages in flight after the coroutine of the run was closed", function()
      local gateway = support.gateway { delay = 0.01 }
      waba.run(function()
        local owner
        waba.spawn(function()
          owner = coroutine.running()
          support.client(gateway):send_all((support.source(20)), { concurrency = 4, journal = path })
        end)
        while gateway.received < 4 do waba.sleep(0.001) end
        close(owner)
      end)
      local second, _, summary = run(20)
      assert.equal(0, summary.maybe_sent)
      assert.equal(gateway.received, summary.skipped)
      assert.equal(20, gateway.received + second.received)
    end)
  end

  if close then
    it("gets no further messages after the coroutine of the run was closed while the source waited", function()
      local gateway = support.gateway { delay = 0.01 }
      local take, taken = support.source(40)
      waba.run(function()
        local owner, at_close
        waba.spawn(function()
          owner = coroutine.running()
          support.client(gateway):send_all(function()
            if taken() == 20 then waba.sleep(60) end
            return take()
          end, { concurrency = 16, rate = 200, journal = path })
        end)
        while taken() < 20 or gateway.in_flight == 0 do waba.sleep(0.001) end
        close(owner)
        waba.sleep(0.01) -- a message may already be in the journal, and is sent
        at_close = gateway.received
        waba.sleep(0.4)
        assert.equal(at_close, gateway.received)
      end)
    end)
  end

  it("contains all results when a function of the caller raises an error", function()
    local gateway = support.gateway { delay = 0.001 }
    local client = support.client(gateway)
    local result = 0
    assert.error_matches(function()
      client:send_all((support.source(100)), { concurrency = 8, journal = path, on_result = function()
        result = result + 1
        if result == 20 then error "disk of the caller's" end
      end })
    end, "disk of the caller's")
    local _, counts = support.states(folder:read "journal")
    assert.equal(gateway.received, counts.sent)
    assert.equal(0, counts.begun)
    assert.equal(100 - gateway.received, run(100).received)
  end)

  it("ends the run when the disk is full, and loses no result", function()
    local program = [[
      local support = require "spec.support.bulk"
      local gateway = support.gateway()
      local seen = 0
      local summary, err = support.client(gateway):send_all((support.source(2000)), {
        journal = arg[1], concurrency = 8, on_result = function() seen = seen + 1 end,
      })
      print(summary, err.kind, err.path, err.summary.sent == gateway.received, seen == gateway.received, gateway.received)
      print(err.message)
    ]]
    local output = process.run(("trap '' XFSZ; ulimit -f 4; %s %s %s 2>&1"):format(process.interpreter(),
      folder:write("program.lua", program), process.quote(path)))
    local received = output:match "^nil%s+unavailable%s+journal%s+true%s+true%s+(%d+)\n"
    assert.is_truthy(received, output)
    assert.matches("can't be written: [^\n]*; %d+ of its last lines are missing$", output)
    received = tonumber(received)
    assert.is_true(received > 10 and received < 2000)
    local gateway, _, summary = run(2000)
    -- Each message has a recorded result, has an uncertain result, or was sent by the second run.
    assert.equal(2000, gateway.received + summary.skipped + summary.maybe_sent)
    assert.is_true(summary.skipped + summary.maybe_sent >= received)
  end)

  it("ends the run after its journal was removed, because the next run could not know the sent messages", function()
    local gateway, _, summary, err = run(50, { concurrency = 2 }, function(count)
      if count == 5 then os.remove(path) end
    end)
    assert.is_nil(summary)
    assert.matches("the journal .* can't be written: No such file or directory; %d+ of its last lines are missing$", err.message)
    assert.is_true(gateway.received < 20)
  end)

  it("needs little memory for many positions", function()
    local parts = { "waba journal 1 positions\n" }
    for position = 1, 30000 do parts[#parts + 1] = ("begun %d\nsent %d id-%d\n"):format(position, position, position) end
    folder:write("journal", table.concat(parts))
    parts = nil
    collectgarbage()
    collectgarbage()
    local before = collectgarbage "count"
    local journal = assert(journals.open(path))
    collectgarbage()
    collectgarbage()
    assert.is_true(collectgarbage "count" - before < 200)
    for position = 1, 30000, 791 do assert.equal("sent", journal.keys:state(position)) end
    assert.is_nil(journal.keys:state(30001))
    journal:close()
  end)
end)

describe("the keys of a journal", function()
  it("have separate states", function()
    local names = require "waba.bulk.keys"
    local keys = names.new()
    local expected, states = {}, { "sent", "failed", "maybe", "seen" }
    math.randomseed(5)
    for _ = 1, 5000 do
      local key = names.name(math.random(3) == 1 and "k" .. math.random(300) or tostring(math.random(600)))
      local state = states[math.random(4)]
      local dice = math.random(4)
      if dice == 1 then
        keys:begin(key)
        expected[key] = { "begun", (expected[key] or {})[2] }
      elseif dice == 2 then
        keys:withdraw(key)
        expected[key] = { (expected[key] or {})[2], (expected[key] or {})[2] }
      else
        keys:set(key, state)
        expected[key] = { state, state }
      end
    end
    for key, state in pairs(expected) do assert.equal(state[1], keys:state(key)) end
    assert.is_nil(keys:state(601))
  end)
end)
