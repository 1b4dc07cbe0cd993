-- lua/waba/sender/queue.lua, through which a sender uses the store of an outbox: taken entries, their leases, and
-- changes that are not stored yet.

local errors = require "waba.errors"
local process = require "spec.support.process"
local queues = require "waba.sender.queue"
local waba = require "waba"

local TO, OTHER = "491511234567", "491517654321"

local function new(count)
  local outbox = waba.outbox.memory { hosting = "cloud", retry = { attempts = 3 } }
  local ids = {}
  for index = 1, count or 1 do
    ids[index] = assert(outbox:put { to = index == 1 and TO or OTHER, message = waba.text(tostring(index)), key = "k" .. index })
  end
  return queues.new(outbox.store), outbox, ids
end

local function take(queue, n, seconds) return assert(queue:take(n or 1, seconds or 60)) end

describe("the queue of a sender", function()
  it("returns entries with their bodies and times", function()
    local queue, outbox, ids = new(2)
    local taken, due = queue:take(5, 60)
    assert.equal(2, #taken)
    assert.is_true(type(due) == "number" and due > 50 or due == false)
    local held = taken[1]
    assert.same({ ids[1], TO, "k1", 60 }, { held.entry.id, held.entry.to, held.entry.key, held.seconds })
    assert.matches('"body":"1"', held.body, 1, true)
    assert.is_true(math.abs(held.ends - held.taken_at - 60) < 1e-3)
    assert.is_true(math.abs(held.entry.stored - os.time()) <= 2)
    assert.equal(1, queue:attempts(held))
    assert.is_falsy(held.is_marked)
    assert.is_falsy(outbox.store:find(ids[1]).is_marked)
    assert.same({}, take(queue, 5))
    assert.same({ 2, false }, { queue:depth(), queue.durable })
  end)

  it("marks the entries that it takes while messages leave at once", function()
    local queue, outbox, ids = new(2)
    queue.marks = true
    assert.is_true(take(queue)[1].is_marked)
    queue.marks = false
    assert.is_falsy(take(queue)[1].is_marked)
    assert.is_true(outbox.store:find(ids[1]).is_marked)
    assert.is_falsy(outbox.store:find(ids[2]).is_marked)
  end)

  it("makes entries that it can't read dead letters, and returns the others", function()
    local queue, outbox, ids = new(1)
    assert(outbox.store:put { { id = "odd", names = { "x" }, lane = "", body = "odd" } })
    local taken = take(queue, 5)
    assert.same({ 1, ids[1] }, { #taken, taken[1].entry.id })
    local letters = outbox:dead_letters()
    assert.same({ 1, "the entry is not a JSON object with a version" }, { #letters, letters[1].reason })
    assert.equal(1, outbox:depth())
  end)

  it("extends a lease until it has expired", function()
    local queue = new()
    local held = take(queue, 1, 0.3)[1]
    assert.is_true(queue:extend(held, 100))
    assert.equal(100, held.seconds)
    process.sleep(0.35)
    assert.same({}, take(queue))
    assert.is_true(queue:extend(held, 0.01))
    process.sleep(0.05)
    assert.equal(1, #take(queue))
    local ok, err = queue:extend(held, 100)
    assert.is_nil(ok)
    assert.is_nil(err)
  end)

  it("returns an entry without counting the attempt", function()
    local queue = new()
    for _ = 1, 5 do
      local held = take(queue)[1]
      assert.equal(1, queue:attempts(held))
      assert.is_true(queue:release(held))
    end
    local held = take(queue, 1, 0.01)[1]
    process.sleep(0.03)
    assert.equal(2, queue:attempts(take(queue)[1]))
    assert.is_nil((queue:release(held)))
  end)

  it("does not change an entry that has a result or has lost its lease", function()
    local queue, outbox = new()
    local held = take(queue)[1]
    local function settle() error "no call is expected" end
    outbox.store.settle = settle
    for _, name in ipairs { "change", "is_lost" } do
      held.change, held.is_lost = nil, nil
      held[name] = name == "change" and { lease = held.lease, done = "always" } or true
      assert.is_true(queue:extend(held, 60))
      assert.is_true(queue:release(held))
    end
    held.change, held.is_lost = nil, nil
    assert.error_matches(function() queue:extend(held, 60) end, "no call is expected")
  end)

  it("stores the changes of several entries, alone or when it takes others", function()
    local queue, outbox = new(2)
    local taken = take(queue, 2)
    assert.is_true(queue:ack {})
    assert.is_true(queue:ack { taken[1] }) -- the entry has no change, so nothing is stored
    assert.equal(2, outbox:depth())
    for _, held in ipairs(taken) do held.change = { lease = held.lease, done = "always" } end
    assert.is_true(queue:ack { taken[1] })
    assert.equal(1, outbox:depth())
    local others, due = queue:exchange({ taken[2] }, 5, 60)
    assert.same({}, others)
    assert.is_false(due)
    assert.equal(0, outbox:depth())
  end)

  it("returns the errors of the store", function()
    local queue, outbox = new()
    local held = take(queue)[1]
    local failure = errors.new { kind = "unavailable", message = "m" }
    for _, name in ipairs { "settle", "take", "depth" } do outbox.store[name] = function() return nil, failure end end
    held.change = { lease = held.lease, done = "always" }
    local function check(ok, err)
      assert.is_nil(ok)
      assert.equal(failure, err)
    end
    check(queue:ack { held })
    check(queue:take(1, 60))
    check(queue:exchange({ held }, 1, 60))
    check(queue:depth())
    held.change = nil
    check(queue:extend(held, 60))
    check(queue:release(held))
  end)
end)
