-- A task group runs functions in coroutines. In each event loop a task group uses its coroutines again, wakes the
-- coroutine that owns the group, and ends with this coroutine.

local runners = require "spec.support.runners"
local task_groups = require "waba.transport.loop.task_group"
local waba = require "waba"

describe("a heap", function()
  it("returns items in the order of their times, also after some were moved or removed", function()
    local heap = require "waba.transport.loop.heap"
    local state = 42
    local function random(most)
      state = (state * 16807) % 2147483647
      return state % most
    end
    local function earliest(items)
      local least = math.huge
      for _, item in ipairs(items) do least = math.min(least, item.time) end
      return least
    end
    for count = 1, 40 do
      local items, all = {}, {}
      for index = 1, count do
        all[index] = { time = random(20) }
        heap.put(items, all[index], all[index].time)
        assert.equal(earliest(all), items[1].listed)
      end
      for _ = 1, count do
        local item = all[random(#all) + 1]
        item.time = random(20)
        heap.put(items, item, item.time)
        assert.same({ earliest(all), #all }, { items[1].listed, #items })
      end
      for _ = 1, random(count) do
        local item = table.remove(all, random(#all) + 1)
        heap.remove(items, item)
        assert.is_nil(item.place)
        assert.equal(#all, #items)
      end
      table.sort(all, function(one, other) return one.time < other.time end)
      for _, item in ipairs(all) do
        assert.equal(item.time, items[1].listed)
        heap.remove(items, items[1])
      end
      assert.is_nil(items[1])
    end
  end)
end)

for _, name in ipairs { "native", "cqueues", "copas", "luv" } do
  describe("a task group in " .. name, function()
    local transport = name == "luv" and { loop = { name = "luv" } } or {}

    -- Runs `fn` in a coroutine of the loop. `fn` gets the task group that this coroutine owns.
    local function run(fn)
      local raised, has_ended
      runners[name] { function()
        local group = assert(task_groups.here(transport))
        has_ended, raised = pcall(fn, group)
        group:close()
      end }
      assert(has_ended, raised)
    end

    local function sleep(seconds)
      if name ~= "luv" then return waba.sleep(seconds) end
      require("waba.transport.loop.luv").sleep(seconds)
    end

    it("leaves nothing in memory of waits that ended early", function()
      run(function(group)
        local function wait_often(times)
          for _ = 1, times do
            group:run(function()
              sleep(0)
              group:wake()
            end)
            group:wait(60)
          end
          collectgarbage()
          collectgarbage()
          return collectgarbage "count"
        end
        local before = wait_often(100)
        local kilobytes = wait_often(2000) - before
        assert.is_true(kilobytes < 100, ("%.0f KB"):format(kilobytes))
      end)
    end)

    it("runs functions with their arguments, at the same time", function()
      run(function(group)
        local begun, ended = {}, 0
        for index = 1, 3 do
          group:run(function(subject, argument)
            begun[index] = subject .. argument
            while #begun < 3 do sleep(0.001) end
            ended = ended + 1
            group:wake()
          end, "s" .. index, index)
        end
        while ended < 3 do group:wait(10) end
        assert.same({ "s11", "s22", "s33" }, begun)
      end)
    end)

    it("uses a coroutine again whose function has returned", function()
      run(function(group)
        local threads, count, done = {}, 0, 0
        for turn = 1, 5 do
          group:run(function()
            local thread = coroutine.running()
            if not threads[thread] then count = count + 1 end
            threads[thread] = true
            done = done + 1
            group:wake()
          end)
          while done < turn do group:wait(10) end
          sleep(0.002) -- time in which the group's coroutine begins to wait for the next function
        end
        assert.is_true(count < 5, count)
      end)
    end)

    it("ends the wait of its owner at once after a wake, once", function()
      run(function(group)
        group:wake()
        group:wake()
        local core = require "waba.core"
        local started = core.clock()
        group:wait(20)
        assert.is_true(core.clock() - started < 10)
        local woken = false
        group:run(function()
          sleep(0.01)
          woken = true
          group:wake()
        end)
        local waits = 0
        while not woken do
          group:wait(20)
          waits = waits + 1
        end
        assert.equal(1, waits)
      end)
    end)
  end)
end

describe("a task group", function()
  it("exists only where a coroutine can be started", function()
    assert.is_nil(task_groups.here {})
    assert.is_nil(task_groups.here { loop = { name = "luv" } })
  end)

  it("returns the results of its function, and raises its error, in a loop of its own", function()
    for _, loop in ipairs { false, "native", "cqueues", "luv" } do
      local transport = loop and { loop = { name = loop } } or {}
      local seen
      assert.same({ 1, 3 }, { task_groups.run(transport, function(group)
        seen = group.name
        return 1, 3
      end) })
      assert.equal(loop or "native", seen)
      local raised = {}
      assert.same({ false, raised }, { pcall(task_groups.run, transport, function() error(raised) end) })
    end
  end)

  it("is run in the loop of the caller", function()
    waba.run(function()
      local thread = coroutine.running()
      task_groups.run({}, function(group)
        assert.equal("native", group.name)
        assert.equal(thread, coroutine.running())
        group:close()
      end)
    end)
  end)
end)
