local group = require "waba.webhook.group"

-- Latches and pauses for plain coroutines; `go` resumes the waiting coroutines.
local function new_latch()
  return { wait = function() return coroutine.yield "latch" end, open = function(latch, count) latch.opened = count end }
end

local function pause() coroutine.yield "pause" end

-- Returns a coroutine that puts one event.
local function putter(put, id)
  return coroutine.create(function()
    local stored, err = put { { id = id } }
    return stored, err
  end)
end

local function go(thread, ...)
  local _, first, second = assert(coroutine.resume(thread, ...))
  return first, second
end

describe("group commit", function()
  it("stores the events of all waiting callers at once, and returns the result to each of them", function()
    local puts = {}
    local inbox = { put = function(_, events)
      puts[#puts + 1] = #events
      return #events
    end }
    local put = group.new(inbox, pause, new_latch)
    local leader, second, third = putter(put, "a"), putter(put, "b"), putter(put, "c")
    assert.equal("pause", go(leader))
    assert.equal("latch", go(second))
    assert.equal("latch", go(third))
    assert.same({}, puts)
    assert.equal(3, go(leader))
    assert.equal(3, go(second, true))
    assert.equal(3, go(third, true))
    assert.same({ 3 }, puts)
    local later = putter(put, "d")
    go(later)
    assert.equal(1, go(later))
    assert.same({ 3, 1 }, puts)
  end)

  it("returns the error to all of them if nothing could be stored", function()
    for _, inbox in ipairs {
      { put = function() return nil, { kind = "unavailable" } end }, { put = function() error "broken" end },
    } do
      local put = group.new(inbox, pause, new_latch)
      local leader, second = putter(put, "a"), putter(put, "b")
      go(leader)
      go(second)
      local stored, err = go(leader)
      assert.is_nil(stored)
      assert.equal("unavailable", err.kind)
      stored, err = go(second, true)
      assert.is_nil(stored)
      assert.equal("unavailable", err.kind)
    end
  end)

  it("does not wait for a leader that was ended", function()
    local put = group.new({ put = function(_, events) return #events end }, pause, new_latch)
    go(putter(put, "a"))
    local second = putter(put, "b")
    go(second)
    local stored, err = go(second, false)
    assert.is_nil(stored)
    assert.equal("unavailable", err.kind)
  end)

  it("starts another group if one is full", function()
    local puts = {}
    local put = group.new({ put = function(_, events)
      puts[#puts + 1] = #events
      return #events
    end }, pause, new_latch)
    local large = {}
    for number = 1, 600 do large[number] = { id = number } end
    local first = coroutine.create(function() return put(large) end)
    local second = putter(put, "b")
    assert.equal("pause", go(first))
    assert.equal("pause", go(second))
    assert.equal(600, go(first))
    assert.equal(1, go(second))
    assert.same({ 600, 1 }, puts)
  end)
end)
