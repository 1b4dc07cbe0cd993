-- Rate limits that several processes share. The processes are simulated: each has its own limiters, and all use one
-- store and one clock.

local rules = require "waba.pace.rules"
local stores = require "waba.pace.store"

local STEP = 0.002

describe("a shared rate", function()
  local now, ahead, asked, kept, is_down, run -- the store's clock is `ahead` seconds ahead of `now`
  local during -- a function that is called during each failed call of the store, or nil

  before_each(function()
    now, ahead, asked, kept, is_down, during = 1000, 0, 0, {}, false, nil
    run = assert((loadstring or load)(rules))()
  end)

  local db = {}
  function db.get(name) return kept[name] end
  function db.set(name, text) kept[name] = text end

  -- Returns a simulated process with its own limiters.
  local function new_process(rates, settings)
    local complete = { unreachable = "continue", share = 0.25, clock = function() return now end }
    for name, value in pairs(settings or {}) do complete[name] = value end
    local store = stores.new(function(_, words)
      if is_down then
        if during then during() end
        return nil, "connection refused"
      end
      asked = asked + 1
      return run(db, math.floor((now + ahead) * 1e6), words)
    end, "the store", complete)
    local shared = store:limiters("0123456789abcdef0123456789abcdef-the-rest", rates)
    return { shared = shared, bucket = rates.messages and shared:bucket "messages", sent = 0, store = store }
  end

  local function new_processes(count, rates, settings)
    local list = {}
    for number = 1, count do list[number] = new_process(rates, settings) end
    return list
  end

  local function try(limiter, is_bulk, waiting)
    limiter:refill(now, is_bulk, waiting or 1)
    return limiter:try(now, is_bulk)
  end

  -- Lets the processes send as fast as their limiters allow for some seconds. Returns the times of the messages.
  local function send_all(processes, seconds, is_bulk, each)
    local moments, ends = {}, now + seconds
    while now < ends do
      if each then each() end
      for _, process in ipairs(processes) do
        while try(process.bucket, is_bulk, 100) do
          process.sent = process.sent + 1
          moments[#moments + 1] = now
        end
      end
      now = now + STEP
    end
    return moments
  end

  -- Returns the largest number of messages in any ten seconds.
  local function most_in_ten_seconds(moments)
    local most, first = 0, 1
    for last, moment in ipairs(moments) do
      while moment - moments[first] >= 10 do first = first + 1 end
      most = math.max(most, last - first + 1)
    end
    return most
  end

  local RATES = { { 80, 80 }, { 50, 150 }, { 80, 1 }, { 1000, 1000 }, { 5, 5 } }

  for _, pair in ipairs(RATES) do
    local rate, burst = pair[1], pair[2]
    it(("of %d with a burst of %d is used by four processes, and not exceeded"):format(rate, burst), function()
      local processes = new_processes(4, { messages = { rate = rate, burst = burst } })
      local moments = send_all(processes, 30)
      local most = most_in_ten_seconds(moments)
      assert.is_true(most <= 10 * rate + burst, most)
      local late = 0
      for _, moment in ipairs(moments) do late = late + (moment >= 1010 and moment < 1030 and 1 or 0) end
      assert.is_true(late >= 0.97 * 20 * rate, late)
      if rate >= 50 then assert.is_true(asked <= #moments / 20, asked .. " of " .. #moments) end
    end)
  end

  it("is divided evenly", function()
    local processes = new_processes(4, { messages = { rate = 80, burst = 80 } })
    send_all(processes, 10)
    local before = {}
    for number, process in ipairs(processes) do before[number] = process.sent end
    send_all(processes, 25)
    for number, process in ipairs(processes) do
      local count = process.sent - before[number]
      assert.is_true(count >= 450 and count <= 550, count)
    end
  end)

  it("sends messages of any process before bulk of the others", function()
    local processes = new_processes(4, { messages = { rate = 80, burst = 80 } })
    local other = new_process { messages = { rate = 80, burst = 80 } }
    local began, longest, replies
    longest, replies = 0, 0
    send_all(processes, 20, true, function()
      if not began and math.random(100) == 1 and now > 1005 then began = now end
      if began and try(other.bucket, false) then
        longest, replies, began = math.max(longest, now - began), replies + 1, nil
      end
    end)
    assert.is_true(replies > 20, replies)
    assert.is_true(longest < 0.2, longest)
  end)

  it("has nothing left for bulk while other messages use it", function()
    local repliers = new_processes(2, { messages = { rate = 80, burst = 80 } })
    local other = new_process { messages = { rate = 80, burst = 80 } }
    local bulk = 0
    send_all(repliers, 5)
    send_all(repliers, 10, false, function()
      if try(other.bucket, true, 100) then bulk = bulk + 1 end
    end)
    assert.equal(0, bulk)
  end)

  it("is paused in all processes within a second, and has no burst afterwards", function()
    local processes = new_processes(4, { messages = { rate = 80, burst = 80 } })
    send_all(processes, 3)
    processes[1].bucket:pause(now + 5)
    processes[1].shared:pause(now + 5)
    local paused_at = now
    local moments = send_all(processes, 20)
    local first
    for _, moment in ipairs(moments) do
      if moment > paused_at + 1 then
        first = first or moment
      else
        assert.is_true(moment < paused_at + 1)
      end
    end
    assert.is_true(first >= paused_at + 5 and first < paused_at + 6, first - paused_at)
    local within = 0
    for _, moment in ipairs(moments) do within = within + (moment >= first and moment < first + 1 and 1 or 0) end
    assert.is_true(within <= 120, within)
  end)

  it("has each pause written once, and not to a store that has just failed", function()
    local process = new_process { messages = { rate = 80, burst = 80 } }
    local calls, execute = {}, process.store.execute
    process.store.execute = function(name, words)
      calls[#calls + 1] = words[1]
      return execute(name, words)
    end
    local shared = process.shared
    shared:pause(now + 5)
    shared:pause(now + 5.05) -- does not call the store, because both pauses have the same rounded end
    shared:pause(shared.paused_until)
    assert.equal(1, #calls)
    shared:pause(now + 6)
    assert.equal(2, #calls)
    is_down = true
    shared:pause(now + 7)
    assert.equal(3, #calls)
    local failed_until = process.store.retry_at
    now = failed_until - 0.01
    shared:pause(now + 8)
    shared:pause_pair(shared:pair "4915112345678", now + 8)
    assert.equal(3, #calls)
    now = failed_until
    shared:pause(now + 9)
    assert.equal(4, #calls)
    is_down, now = false, now + 2
    shared:pause_pair(shared:pair "4915112345678", now + 8)
    assert.equal("pause_pair", calls[5])
  end)

  it("gets unused tokens back", function()
    local processes = new_processes(2, { messages = { rate = 10, burst = 100 } })
    local first, second = processes[1].bucket, processes[2].bucket
    assert.is_true(try(first, false, 6)) -- the process gets six tokens and has five left
    assert.equal(1, asked)
    now = now + 5
    assert.is_true(try(first, false, 1)) -- the five tokens have expired, so the process requests new tokens
    assert.equal(2, asked)
    local count = 0
    while try(second, false, 1) do count = count + 1 end
    -- A process without waiting messages may take 75 of the burst of 100 tokens.
    assert.is_true(count >= 68, count)
  end)

  it("is requested in larger batches while all tokens are used, and in smaller ones afterwards", function()
    local process = new_process { messages = { rate = 1000, burst = 1000 } }
    local wanted, execute = {}, process.store.execute
    process.store.execute = function(name, words)
      wanted[#wanted + 1] = words[8] .. (words[9] == "1" and " more" or "")
      return execute(name, words)
    end
    for _ = 1, 300 do assert.is_true(try(process.bucket, false, 1)) end
    assert.equal("1 2 4 8 16 32 64 100 more 100 more", table.concat(wanted, " "))
    now, wanted = now + 5, {}
    for _, waiting in ipairs { 1, 99, 100 } do
      assert.is_true(try(process.bucket, false, waiting))
      now = now + 5 -- unused tokens expire
    end
    assert.equal("73 99 100 more", table.concat(wanted, " "))
  end)

  it("has its burst without the reserved part at once, and reports whether it was requested", function()
    local process, count = new_process { messages = { rate = 10, burst = 100 } }, 0
    assert.is_true(process.bucket:refill(now, false, 1))
    assert.is_false(process.bucket:refill(now, false, 1))
    while try(process.bucket) do count = count + 1 end
    assert.equal(75, count)
    assert.is_false(process.bucket:refill(now, false, 1))
    process, is_down = new_process { messages = { rate = 10, burst = 100 } }, true
    assert.is_true(process.bucket:refill(now, false, 1))
    assert.is_false(process.bucket:refill(now, false, 1))
  end)

  it("gives a message the token of a bulk message that is sent soon", function()
    local process = new_process { messages = { rate = 10, burst = 1 } }
    assert.is_true(try(process.bucket, true, 3))
    local before = asked
    assert.is_false(try(process.bucket, false))
    assert.equal(before, asked)
    now = now + 0.1
    assert.is_true(try(process.bucket, false))
    assert.equal(before, asked)
  end)

  it("is requested by one coroutine at a time, and by another one if the first was ended", function()
    local process = new_process { messages = { rate = 10, burst = 10 } }
    local execute = process.store.execute
    process.store.execute = function(...)
      coroutine.yield()
      return execute(...)
    end
    local function ask() return process.bucket:refill(now, false, 1) end
    local asking = coroutine.create(ask)
    assert(coroutine.resume(asking))
    assert.is_false(ask())
    assert.equal(0.01, process.bucket:delay(now))
    assert.same({ true, true }, { coroutine.resume(asking) })
    assert.equal(0, process.bucket:delay(now))
    assert.equal(1, asked)
    while process.bucket:try(now) do end
    assert(coroutine.resume(coroutine.create(ask))) -- this coroutine is not resumed again
    now = now + 5
    asking = coroutine.create(ask)
    assert(coroutine.resume(asking))
    assert(coroutine.resume(asking))
    assert.equal(0, process.bucket:delay(now))
  end)

  it("does not change if the store's clock is set back", function()
    local process = new_process { messages = { rate = 10, burst = 8 } }
    while try(process.bucket, false, 1) do process.sent = process.sent + 1 end
    ahead = -900
    local other = new_process { messages = { rate = 10, burst = 8 } }
    local moments = send_all({ other }, 3)
    assert.is_true(#moments >= 25 and #moments <= 35, #moments)
  end)

  it("that is not limited still has pauses", function()
    local processes = {}
    for number = 1, 2 do
      processes[number] = new_process { messages = false }
      processes[number].bucket = processes[number].shared:bucket "messages"
    end
    for _ = 1, 1000 do assert.is_true(try(processes[1].bucket)) end
    assert.is_true(try(processes[2].bucket))
    assert.equal(2, asked)
    processes[1].shared:pause(now + 5)
    now = now + 1
    assert.is_false(try(processes[2].bucket))
    now = now + 5
    assert.is_true(try(processes[2].bucket))
  end)

  describe("of one recipient", function()
    local function pairs_of(rate, burst)
      local list = new_processes(4, { messages = { rate = 1000, burst = 1000 }, pair = { rate = rate, burst = burst } })
      for _, process in ipairs(list) do process.pair = process.shared:pair "4915112345678" end
      return list
    end

    it("is not exceeded by several processes", function()
      local count = 0
      for _, process in ipairs(pairs_of(1, 5)) do
        while try(process.pair) do count = count + 1 end
      end
      assert.equal(5, count)
    end)

    it("is reported with the tokens of messages, so that most messages need no separate request", function()
      local processes, sent = pairs_of(1 / 6, 45), 0
      while sent < 1000 do
        for _, process in ipairs(processes) do
          while try(process.bucket, false, 25) do
            sent = sent + 1
            assert.is_true(try(process.shared:pair("49151" .. sent)))
          end
        end
        now = now + STEP
      end
      assert.is_true(asked <= sent / 20, asked)
      local count = 0
      for _ = 1, 45 do
        for _, process in ipairs(processes) do
          if try(process.pair) then count = count + 1 end
        end
      end
      assert.is_true(count <= 45 + 4, count)
    end)

    -- Returns how many messages a process may send to the recipient without a pause.
    local function count_of(process)
      local count = 0
      while try(process.pair) do count = count + 1 end
      return count
    end

    it("has its used and returned tokens reported to the other processes", function()
      local processes = pairs_of(0.001, 45)
      local first = processes[1]
      for _ = 1, 5 do assert.is_true(first.pair:try(now)) end -- these tokens require no request to the store
      assert.equal(0, asked)
      assert.is_false(first.pair:try(now))
      assert.is_false(first.pair:is_full(now))
      first.pair:give_back()
      assert.is_true(try(first.bucket)) -- the request reports four used tokens
      first.pair:give_back()
      now = now + 1
      assert.is_true(try(first.bucket)) -- the request reports that one of the four tokens was not used
      assert.equal(2, asked)
      assert.equal(42, count_of(processes[2]))
      assert.equal(5, count_of(processes[3])) -- these tokens require no request to the store
      assert.equal(0, count_of(processes[2]))
    end)

    it("is requested by one coroutine at a time, and by another one if the first was ended", function()
      local process = pairs_of(0.001, 5)[1]
      local execute = process.store.execute
      process.store.execute = function(...)
        coroutine.yield()
        return execute(...)
      end
      local function ask() return process.pair:refill(now) end
      local asking = coroutine.create(ask)
      assert(coroutine.resume(asking))
      assert.is_false(ask())
      assert.equal(0.01, process.pair:delay(now))
      assert.is_true(process.pair:is_full(now))
      assert.same({ true, true }, { coroutine.resume(asking) })
      assert.equal(0, process.pair:delay(now))
      assert.is_false(process.pair:is_full(now))
      assert.equal(1, asked)
      assert.is_true(process.pair:try(now))
      assert(coroutine.resume(coroutine.create(ask))) -- this coroutine is not resumed again
      now = now + 5
      asking = coroutine.create(ask)
      assert(coroutine.resume(asking))
      assert(coroutine.resume(asking))
      assert.equal(0, process.pair:delay(now))
    end)

    it("may be used in part before it is requested: an eighth of the burst that is left", function()
      local process = pairs_of(1, 48)[1]
      for left, count in pairs { [48] = 6, [47] = 5, [16] = 2, [15] = 1, [7] = 0, [0] = 0 } do
        process.pair = process.shared:pair "4915112345678"
        process.pair:update(48 - left, 0, now)
        local used = 0
        while process.pair:try(now) do used = used + 1 end
        assert.equal(count, used, left)
      end
    end)

    it("is reported only if its use changes what other processes may do", function()
      local reported
      local function new_pair(rate)
        local process = new_process { messages = { rate = 1000, burst = 1000 }, pair = rate }
        local execute = process.store.execute
        process.store.execute = function(name, words)
          reported = (#words - 12) / 2
          return execute(name, words)
        end
        local pair = process.shared:pair "4915112345678"
        pair:take(now)
        return pair, process
      end
      local RATE = { rate = 1, burst = 45 }
      for index, expected in ipairs { 1, 0, 0, 0 } do
        local pair, process = new_pair(index ~= 4 and RATE)
        if index == 2 then pair:give_back() end
        if index == 3 then now = now + 1 end -- after a second the limiter has all its tokens again
        assert.is_true(try(process.bucket))
        assert.equal(expected, reported, index)
      end
    end)

    it("has its pauses read at most once in 0.9 seconds, by one coroutine, and not from a store that has failed", function()
      local process, replies = pairs_of(1, 5)[1], {}
      local execute, waits = process.store.execute, false
      process.store.execute = function(...)
        if waits then coroutine.yield() end
        local reply, message = execute(...)
        replies[#replies + 1] = reply or message
        return reply, message
      end
      local function freshen() process.shared:freshen(process.bucket, now) end
      pairs_of(1, 5)[1].shared:pause_pair(process.pair, now + 100)
      freshen()
      assert.equal(8, #replies[1]) -- the reply contains a paused recipient and the seconds of the pause
      now = now + 0.89
      freshen()
      assert.equal(1, #replies)
      now = now + 0.02
      freshen()
      assert.equal(2, #replies)
      assert.equal(6, #replies[2]) -- the reply contains no recipients, because the paused recipients have not changed
      assert.is_true(process.shared:has_pauses(now))
      now, waits = now + 1, true
      local refilling = coroutine.create(function() process.bucket:refill(now, false, 1) end)
      assert(coroutine.resume(refilling))
      freshen()
      assert(coroutine.resume(refilling))
      assert.equal(3, #replies)
      now, waits, is_down = now + 1, false, true
      process.shared:take(process.bucket, process.bucket.replies, 1, false)
      now = now + 5
      freshen()
      assert.equal(4, #replies)
    end)

    it("is not full during a pause", function()
      for _, rate in ipairs { { rate = 1, burst = 5 }, false } do
        local process = new_process { messages = { rate = 1000, burst = 1000 }, pair = rate }
        local pair = process.shared:pair "4915112345678"
        assert.is_true(pair:is_full(now))
        pair:pause(now + 10)
        process.shared:pause_pair(pair, now + 10)
        assert.is_false(pair:is_full(now + 9.9))
        assert.is_true(pair:is_full(now + 15))
        pair = new_process({ pair = rate }).shared:pair "4915112345678"
        local reply = pair.shared:take_pair(pair, 0)
        pair:update(reply.due, reply.paused, now)
        assert.is_false(pair:is_full(now + 9.9))
        assert.is_true(pair:is_full(now + 15))
      end
    end)

    it("is limited in each process if the store cannot be reached or is not used", function()
      is_down = true
      assert.equal(5, count_of(pairs_of(0.001, 5)[1]))
      local pair = pairs_of(0.001, 5)[1].pair
      assert.is_true(pair:refill(now))
      assert.is_false(pair:refill(now)) -- sends no request to the store soon after a failed request
      local process = new_process({ pair = { rate = 0.001, burst = 5 } }, { unreachable = "wait" })
      process.pair = process.shared:pair "4915112345678"
      assert.equal(0, count_of(process))
      assert.equal("unavailable", process.pair:failure().kind)
    end)

    it("is paused in all processes", function()
      local processes = pairs_of(1, 5)
      processes[1].shared:pause_pair(processes[1].pair, now + 10)
      processes[2].shared:freshen(processes[2].bucket, now)
      assert.is_false(try(processes[2].pair))
      assert.is_true(processes[2].shared:has_pauses(now))
      assert.is_true(processes[1].shared:has_pauses(now + 9.999))
      assert.is_false(processes[1].shared:has_pauses(now + 10))
      assert.is_true(try(processes[2].shared:pair "4915112345679"))
      now = now + 11
      assert.is_false(processes[2].shared:has_pauses(now))
      assert.is_true(try(processes[2].pair))
    end)
  end)

  describe("whose store cannot be reached", function()
    local RATE = { messages = { rate = 80, burst = 80 } }

    it("is used in part by default, and completely after the store can be reached again", function()
      local process = new_process(RATE)
      is_down = true
      local count = #send_all({ process }, 20)
      assert.is_true(count >= 380 and count <= 430, count)
      assert.is_nil(process.bucket:failure())
      is_down = false
      send_all({ process }, 3)
      count = #send_all({ process }, 10)
      assert.is_true(count >= 780, count)
    end)

    it("counts the messages that are sent while a call of the store fails", function()
      local process, sent = new_process(RATE), 0
      is_down = true
      process.bucket:refill(now, false, 1)
      function during()
        for _ = 1, 3 do sent = sent + (process.bucket:try(now) and 1 or 0) end
      end
      for _ = 1, 4 do
        now = process.store.retry_at
        process.bucket:refill(now, false, 1)
      end
      assert.is_true(sent >= 10, sent)
      assert.is_true(process.bucket.returned <= -sent, process.bucket.returned)
    end)

    for _, pair in ipairs { { 80, 80 }, { 50, 150 }, { 20, 40 }, { 5, 5 } } do
      local rate, burst = pair[1], pair[2]
      for _, unreachable in ipairs { "continue", "wait" } do
        for _, loses in ipairs { false, true } do
          local title = "of %d with a burst of %d is not exceeded by four processes with %s, although the store %s"
          it(title:format(rate, burst, unreachable, loses and "loses its values" or "keeps its values"), function()
            for _, outage in ipairs { { 2, 3 }, { 0, 5 }, { 3, 30 }, { 6, 1 } } do
              now, kept = now + 1000, {}
              local processes, started = new_processes(4, { messages = { rate = rate, burst = burst } },
                { unreachable = unreachable }), now
              local moments = send_all(processes, 60, false, function()
                local was_down, since = is_down, now - started
                is_down = since >= outage[1] and since < outage[1] + outage[2]
                if was_down and not is_down and loses then kept = {} end
              end)
              is_down = false
              local most = most_in_ten_seconds(moments)
              assert.is_true(most <= 10 * rate + burst, ("%d, %d + %d"):format(most, outage[1], outage[2]))
              local late = 0
              for _, moment in ipairs(moments) do late = late + (moment >= started + 40 and 1 or 0) end
              assert.is_true(late >= 0.97 * 20 * rate, ("%d, %d + %d"):format(late, outage[1], outage[2]))
            end
          end)
        end
      end
    end

    it("is not used with unreachable = 'wait', and the error has the reason", function()
      local messages = {}
      local process = new_process(RATE, { unreachable = "wait", on_error = function(err)
        messages[#messages + 1] = tostring(err)
      end })
      is_down = true
      assert.equal(0, #send_all({ process }, 10))
      assert.equal("unavailable", process.bucket:failure().kind)
      assert.is_true(#messages >= 9 and #messages <= 11, #messages)
      assert.matches("the store cannot be reached: connection refused", messages[1], 1, true)
      is_down = false
      assert.is_true(#send_all({ process }, 3) >= 200)
    end)
  end)
end)
