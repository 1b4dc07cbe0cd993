-- The timer for background work in nginx, and the work of an inbox in this timer. The spec replaces the functions of
-- nginx.

describe("in nginx", function()
  local real, now, exiting, others, refusal, timers, repeated, logged

  -- Loads a module again, so that it uses the replaced functions.
  local function load(name)
    package.loaded[name] = nil
    local module = require(name)
    package.loaded[name] = nil
    return module
  end

  before_each(function()
    real, now, exiting, others, refusal, timers, repeated, logged = rawget(_G, "ngx"), 100, false, 0, nil, {}, {}, {}
    rawset(_G, "ngx", {
      ERR = "error", WARN = "warn", NOTICE = "notice", now = function() return now end,
      worker = { exiting = function() return exiting end },
      log = function(level, ...)
        local texts = { ... }
        for index = 1, select("#", ...) do texts[index] = tostring(texts[index]) end
        logged[#logged + 1] = level .. " " .. table.concat(texts)
      end,
      timer = {
        at = function(pause, fn, ...)
          if refusal then return nil, refusal end
          timers[#timers + 1] = { pause = pause, fn = fn, ... }
          return true
        end,
        every = function(pause, fn)
          repeated[#repeated + 1] = { pause = pause, fn = fn }
          return true
        end,
        running_count = function() return others end, pending_count = function() return 0 end,
      },
    })
  end)
  after_each(function() rawset(_G, "ngx", real) end)

  -- Calls the function of a timer, as nginx does when the timer ends.
  local function fire(number, premature) timers[number].fn(premature or false, timers[number][1], timers[number][2]) end

  describe("a timer", function()
    local ngx_timer, calls, result

    before_each(function() ngx_timer, calls, result = load "waba.transport.ngx_timer", {}, nil end)

    local function new()
      return ngx_timer.new(function(deadline, premature)
        calls[#calls + 1] = { deadline - now, premature }
        if type(result) == "function" then return result() end
        return result
      end)
    end

    it("is set once, and again when its work returns a number of seconds", function()
      local timer = new()
      assert.is_true((timer:set()))
      assert.is_true((timer:set(5)))
      assert.same({ 1, 0, 100 }, { #timers, timers[1].pause, timer.due })
      fire(1)
      assert.same({ { ngx_timer.LIFE, false } }, calls)
      assert.same({ 1, false, false, false }, { #timers, timer.is_set, timer.is_wanted, timer.is_running })
      assert.is_true((timer:set()))
      result = 3
      fire(2)
      assert.same({ 3, 3, true, 103 }, { #timers, timers[3].pause, timer.is_set, timer.due })
    end)

    it("is tried again after its work has raised an error, unless the process ends", function()
      local timer = new()
      result = function() error("odd", 0) end
      timer:set()
      fire(1)
      assert.same({ "error waba: odd" }, logged)
      assert.same({ 2, 1 }, { #timers, timers[2].pause })
      exiting = true
      fire(2)
      assert.same({ 2, false, false }, { #timers, timer.is_set, timer.is_wanted })
    end)

    it("that nginx refuses is not set, and can be set later", function()
      local timer = new()
      refusal = "too many pending timers"
      local is_set, message = timer:set()
      assert.is_false(is_set)
      assert.same({ refusal, false, true, math.huge }, { message, timer.is_set, timer.is_wanted, timer.due })
      refusal = nil
      assert.is_true((timer:set()))
      result, refusal = 5, nil
      refusal = "none"
      fire(1)
      assert.same({ "error waba: no timer for background work: none" }, logged)
    end)

    it("is replaced by a new one, after which the old one has no effect", function()
      local timer = new()
      timer:set()
      local old = timers[1]
      result = function()
        assert.is_true((timer:replace()))
        return 7
      end
      fire(1)
      assert.same({ 2, true }, { #timers, timer.is_set })
      old.fn(false, timer, old[2])
      assert.equal(1, #calls)
      result = nil
      fire(2)
      assert.same({ 2, 2, false }, { #calls, #timers, timer.is_set })
    end)

    it("is watched if nginx may drop it: if it waits, or if there are other timers", function()
      new():set()
      assert.equal(0, #repeated)
      others = 1
      new():set()
      new():set(1)
      assert.same({ 1, 1 }, { #repeated, repeated[1].pause })
      ngx_timer, others = load "waba.transport.ngx_timer", 0
      new():set(1)
      assert.equal(2, #repeated)
    end)

    it("is watched later if nginx makes no repeating timer at first", function()
      local every = rawget(_G, "ngx").timer.every
      local refused = 0
      rawget(_G, "ngx").timer.every = function()
        refused = refused + 1
        return nil, "none"
      end
      new():set(1)
      new():set(1)
      assert.equal(2, refused)
      rawget(_G, "ngx").timer.every = every
      for _ = 1, 2 do new():set(1) end
      assert.equal(1, #repeated)
    end)

    it("does not count itself among the other timers", function()
      local timer = new()
      timer:set()
      others = 1
      result = function() return 0 end
      fire(1)
      assert.same({ 2, 0 }, { #timers, #repeated })
    end)

    it("is set again if nginx has dropped it, or had refused it", function()
      local timer, other = new(), new()
      timer:set(2)
      other:set(60)
      local watch = repeated[1].fn
      watch(false)
      now = 103
      watch(false)
      assert.same({ 2, 0 }, { #timers, #logged })
      now = 103.5
      watch(false)
      assert.same({ 3, 0, 1 }, { #timers, timers[3].pause, #logged })
      assert.matches("^warn waba: nginx has dropped a timer for background work", logged[1])
      refusal = "none"
      other.is_set = false
      other:set()
      refusal = nil
      watch(false)
      assert.equal(4, #timers)
      assert.is_true(other.is_set)
      fire(4)
      watch(false)
      assert.equal(4, #timers) -- no further timer, because no work is left
    end)

    it("runs once more when the process ends, if work waits", function()
      local timer, idle = new(), new()
      timer:set(60)
      assert.is_false(idle.is_wanted)
      exiting = true
      repeated[1].fn(false)
      assert.equal(0, #calls)
      repeated[1].fn(true)
      assert.same({ { ngx_timer.LIFE, true } }, calls)
    end)
  end)

  describe("the work of an inbox", function()
    local ngx_work, inbox, run

    before_each(function()
      ngx_work = load "waba.inbox.ngx_work"
      inbox = { depth_left = 2, durable = false, depth = function(self) return self.depth_left end }
    end)

    -- Creates the object that handles the events of the inbox in nginx. A run ends when the function that
    -- is passed to `stop` returns true.
    local function new(stop)
      local own = ngx_work.new({ inbox = inbox }, { concurrency = 1, batch = 1, lease = 60, interval = 1 })
      assert.is_true(own.work.forever)
      function own.work.run(_, is_over)
        run = is_over
        stop(is_over)
      end
      own:start()
      return own
    end

    it("continues until its deadline, and then in a new timer", function()
      new(function(is_over)
        assert.is_falsy(is_over())
        now = now + 59
        assert.is_falsy(is_over())
        now = now + 1
        assert.is_true(is_over())
        assert.is_true(is_over())
      end)
      fire(1)
      assert.equal(2, #timers)
      assert.same({}, logged)
    end)

    it("continues if no new timer can be made", function()
      new(function(is_over)
        now, refusal = now + 60, "none"
        assert.is_falsy(is_over())
        refusal = nil
        assert.is_true(is_over())
      end)
      fire(1)
      assert.equal(2, #timers)
    end)

    it("begins again at once if it has ended without a reason", function()
      new(function() end)
      fire(1)
      assert.same({ 2, 0 }, { #timers, timers[2].pause })
    end)

    it("handles all events in memory before the process ends, for some seconds", function()
      new(function(is_over)
        exiting = true
        assert.is_falsy(is_over())
        now = now + 9
        assert.is_falsy(is_over())
        inbox.depth_left = 0
        assert.is_true(is_over())
        inbox.depth_left = 3
        now = now + 1
        assert.is_true(is_over())
      end)
      fire(1)
      assert.same({ "error waba: the worker process ends, and 3 events are left in the inbox: they are lost, since it is in "
        .. "memory" }, logged)
      assert.equal(1, #timers)
    end)

    it("leaves the events of a durable inbox", function()
      for index, left in ipairs { 3, 0 } do
        inbox.durable, inbox.depth_left, inbox.title, inbox.content, exiting = true, left, "the outbox", "messages", false
        new(function(is_over)
          exiting = true
          assert.is_true(is_over())
        end)
        fire(index)
      end
      assert.same({ "notice waba: the worker process ends, and 3 messages are left in the outbox" }, logged)
      assert.is_function(run)
    end)

    it("reports that no timer can be made", function()
      refusal = "too many"
      new(print)
      assert.same({ "error waba: no timer for the handlers: too many" }, logged)
    end)
  end)
end)
