-- lua/waba/sender/writer.lua stores the changes of entries that are sent at the same time in one call of the store.

local errors = require "waba.errors"
local waba = require "waba"
local writers = require "waba.sender.writer"

-- Returns a store, and the list of its calls: for each call the number of changes, and whether it must write to the
-- disk.
local function new_store(result)
  local calls = {}
  return { settle = function(_, changes, records, to_disk)
    calls[#calls + 1] = { #changes, to_disk == nil and "no" or to_disk }
    assert(records == nil)
    if type(result) == "function" then return result() end
    return #changes
  end }, calls
end

local function write_all(writer, count, to_disk)
  local results, functions = {}, {}
  for index = 1, count do
    functions[index] = function()
      local ok, err = writer:write({ index = index }, to_disk and index == to_disk)
      results[index] = ok or err
    end
  end
  waba.run(function()
    for _, fn in ipairs(functions) do waba.spawn(fn) end
  end)
  return results
end

describe("the writer of a sender", function()
  it("stores a single change at once", function()
    local slept = 0
    local store, calls = new_store()
    local writer = writers.new(store, { sleep = function() slept = slept + 1 end })
    for active = 0, 1 do
      writer.active = active
      assert.is_true(writer:write({}, true))
    end
    assert.same({ { 1, true }, { 1, true } }, calls)
    assert.equal(0, slept)
  end)

  it("stores the changes of several coroutines together, with and without a transport", function()
    for _, transport in ipairs { false, { sleep = function(_, seconds) waba.sleep(seconds) end } } do
      local store, calls = new_store()
      local writer = writers.new(store, transport or nil)
      writer.active = 5
      assert.same({ true, true, true, true, true }, write_all(writer, 5))
      assert.same({ { 5, "no" } }, calls)
      assert.same({ true, true, true }, write_all(writer, 3, 2))
      assert.same({ { 5, "no" }, { 3, true } }, calls)
    end
  end)

  it("returns the error of the store to all coroutines", function()
    local failure = errors.new { kind = "unavailable", message = "m" }
    for _, result in ipairs { function() return nil, failure end, function() error("broken", 0) end } do
      local store, calls = new_store(result)
      local writer = writers.new(store)
      writer.active = 3
      for _, err in ipairs(write_all(writer, 3)) do
        assert.equal("unavailable", err.kind)
        assert.matches("^unavailable: [mb]", tostring(err))
      end
      assert.equal(1, #calls)
    end
    local store = new_store(function() error("broken", 0) end)
    local ok, err = writers.new(store):write {}
    assert.is_nil(ok)
    assert.is_true(err.retryable)
  end)

  it("stores in the next call the changes that come during a call of the store", function()
    if _VERSION == "Lua 5.1" and not rawget(_G, "jit") then return end -- Lua 5.1 can't yield inside a pcall
    local calls, writer = {}, nil
    writer = writers.new { settle = function(_, changes)
      calls[#calls + 1] = #changes
      while #calls == 1 and #writer.pending < 3 do waba.sleep(0.001) end
      return #changes
    end }
    local done = 0
    waba.run(function()
      for _ = 1, 4 do
        waba.spawn(function()
          assert.is_true(writer:write {})
          done = done + 1
        end)
      end
    end)
    assert.equal(4, done)
    assert.same({ 1, 3 }, calls)
  end)

  local close = rawget(coroutine, "close") -- Lua 5.4
  if close then
    it("continues when the coroutine that stores the changes was ended", function()
      local store, calls = new_store()
      local writer = writers.new(store)
      writer.active = 2
      local done
      waba.run(function()
        local thread
        waba.spawn(function()
          thread = coroutine.running()
          writer.sleep = function() waba.sleep(60) end
          writer:write {}
        end)
        waba.spawn(function()
          writer.active = 1
          assert.is_true(writer:write {})
          done = true
        end)
        waba.sleep(0.01)
        assert.is_nil(done)
        close(thread)
      end)
      assert.is_true(done)
      assert.same({ { 2, "no" } }, calls)
    end)
  end
end)
