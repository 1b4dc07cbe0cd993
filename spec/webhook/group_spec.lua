local group = require "waba.webhook.group"

-- Latches and pauses that yield, for coroutines that the spec resumes with `go`.
local latches = {}

local function new_latch()
  local latch = { wait = function() return coroutine.yield "latch" end }
  latches[#latches + 1] = latch
  return latch
end

local function open(latch, count) latch.opened = count end

local function pause() coroutine.yield "pause" end

-- Returns a coroutine that calls `put` with one event.
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
  before_each(function() latches = {} end)

  it("stores the events of all waiting callers at once, and returns the result to each of them", function()
    local puts = {}
    local inbox = { put = function(_, events)
      puts[#puts + 1] = #events
      return #events
    end }
    local put = group.new(inbox, pause, new_latch, open)
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
    assert.same({ 2, 1 }, { latches[1].opened, #latches }) -- the number of callers that the only latch has woken
  end)

  it("returns the error to all callers if nothing could be stored", function()
    for _, inbox in ipairs {
      { put = function() return nil, { kind = "unavailable" } end }, { put = function() error "broken" end },
    } do
      local put = group.new(inbox, pause, new_latch, open)
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
    local put = group.new({ put = function(_, events) return #events end }, pause, new_latch, open)
    go(putter(put, "a"))
    local second = putter(put, "b")
    go(second)
    local stored, err = go(second, false)
    assert.is_nil(stored)
    assert.same({ "unavailable", true }, { err.kind, err.retryable })
  end)

  it("passes the source of each event to the inbox", function()
    local got
    local put = group.new({ put = function(_, events, sources)
      got = {}
      for index, event in ipairs(events) do got[index] = event.id .. tostring(sources[index]) end
      return #events
    end }, pause, new_latch, open)
    local first = coroutine.create(function() return put({ { id = "a" }, { id = "b" } }, { [2] = "B" }) end)
    local second = coroutine.create(function() return put({ { id = "c" } }, { "C" }) end)
    local third = putter(put, "d")
    for _, thread in ipairs { first, second, third } do go(thread) end
    assert.equal(4, go(first))
    assert.same({ "anil", "bB", "cC", "dnil" }, got)
  end)

  it("starts another group after the first one was stored, also during its call of the inbox", function()
    local puts, second = {}, nil
    local put
    put = group.new({ put = function(_, events)
      puts[#puts + 1] = #events
      if #puts == 1 then assert.equal("pause", go(second)) end
      return #events
    end }, pause, new_latch, open)
    local first = putter(put, "a")
    second = putter(put, "b")
    go(first)
    assert.equal(1, go(first))
    assert.equal(1, go(second))
    assert.same({ 1, 1 }, puts)
  end)

  it("starts another group if one is full", function()
    local puts = {}
    local put = group.new({ put = function(_, events)
      puts[#puts + 1] = #events
      return #events
    end }, pause, new_latch, open)
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

  describe("without a pause", function()
    local puts, put

    before_each(function()
      puts = {}
      put = group.new({ put = function(_, events)
        puts[#puts + 1] = #events
        coroutine.yield "store"
        return #events
      end }, nil, new_latch, open)
    end)

    it("stores a webhook at once while fewer than three are being stored, and otherwise with the next ones", function()
      local first, other, another = putter(put, "a"), putter(put, "b"), putter(put, "c")
      local fourth, fifth = putter(put, "d"), putter(put, "e")
      assert.equal("store", go(first))
      assert.equal("store", go(other))
      assert.equal("store", go(another))
      assert.equal("latch", go(fourth))
      assert.equal("latch", go(fifth))
      assert.same({ 1, 1, 1 }, puts)
      assert.equal(1, go(first))
      assert.equal(1, latches[1].opened)
      assert.equal("store", go(fourth, true))
      assert.same({ 1, 1, 1, 2 }, puts)
      assert.equal(2, go(fourth))
      assert.equal(2, go(fifth, true))
      assert.equal(1, latches[2].opened)
      assert.equal("store", go(putter(put, "f")))
      assert.same({ 1, 1, 1, 2, 1 }, puts)
      assert.equal(1, go(other))
      assert.equal(1, go(another))
    end)

    it("stores a webhook with many events at once", function()
      local first, large = putter(put, "a"), {}
      for number = 1, 16 do large[number] = { id = number } end
      assert.equal("store", go(first))
      assert.equal("store", go(coroutine.create(function() return put(large) end)))
      assert.same({ 1, 16 }, puts)
    end)

    it("waits no longer than a few seconds for a webhook whose coroutine was ended", function()
      for _, id in ipairs { "a", "b", "c" } do go(putter(put, id)) end
      local second = putter(put, "d")
      assert.equal("latch", go(second))
      assert.equal("store", go(second, false))
      assert.equal(1, go(second))
    end)
  end)
end)
