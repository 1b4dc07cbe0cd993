-- A short run of bench/soak.lua: many messages through a gateway that fails at random and is killed repeatedly.

local soak = require "bench.support.soak"

describe("many messages through a gateway that fails at random and is killed five times", function()
  it("have one result each, the same as in the gateway's records, and leave no file and no process", function()
    local report = soak.run { count = 1000, seed = 5, timeout = 1, intensity = 3, is_measured = false }
    assert.same({}, report.problems)
    local counts = report.counts
    assert.equal(1000, counts.sent + counts.failed + counts.maybe_sent)
    assert.equal(5, report.restarts)
    assert.equal(report.accepted, counts.sent + report.uncertain_accepted)
    assert.is_true(counts.sent > 250, "much is sent all the same")
    assert.is_true(counts.maybe_sent > 0, "something goes wrong at all")
  end)
end)

describe("the check of a soak test", function()
  local faults = require "bench.support.soak_faults"
  local ledgers = require "bench.support.soak_ledger"
  local support = require "spec.support.folder"
  local errors = require "waba.errors"

  local function accepted(number, id) return ('{"id":"%s","content":{"body":"%s"}}'):format(id, ledgers.mark(number)) end

  -- Returns the problems that bench/support/soak_ledger.lua finds in these results and this record of the emulator.
  local function problems_of(count, results, record)
    local folder = support.new()
    finally(function() folder:remove() end)
    local book = ledgers.new(folder:file "results")
    for _, result in ipairs(results) do book:enter(result[1], result[2], result[3]) end
    book:close()
    book:compare(folder:file("record", table.concat(record, "\n") .. "\n"), count)
    return table.concat(book.problems, "\n")
  end

  it("finds a message that was accepted twice, or not at all, or with another id", function()
    assert.equal("", problems_of(1, { { 1, { id = "a" } } }, { accepted(1, "a") }))
    assert.matches("message 1 was accepted twice", problems_of(1, { { 1, { id = "a" } } },
      { accepted(1, "a"), accepted(1, "b") }))
    assert.matches("counts as sent, but the emulator", problems_of(2, { { 1, { id = "a" } }, { 2, { id = "b" } } },
      { accepted(1, "a") }))
    assert.matches("has the id b", problems_of(1, { { 1, { id = "b" } } }, { accepted(1, "a") }))
  end)

  it("finds a result that is wrong, missing or reported twice", function()
    local surely_not, perhaps = errors.new { kind = "network", message = "" },
      errors.new { kind = "network", message = "", maybe_sent = true }
    assert.matches("counts as not sent, but was", problems_of(1, { { 1, nil, surely_not } }, { accepted(1, "a") }))
    assert.equal("", problems_of(1, { { 1, nil, perhaps } }, { accepted(1, "a") }))
    assert.matches("message 2 has no result", problems_of(2, { { 1, { id = "a" } } }, { accepted(1, "a") }))
    assert.matches("has two results", problems_of(1, { { 1, { id = "a" } }, { 1, { id = "a" } } }, { accepted(1, "a") }))
    assert.matches("never sent, but accepted", problems_of(1, { { 1, { id = "a" } } }, { accepted(1, "a"),
      accepted(7, "b") }))
  end)

  it("finds an error that no simulated failure explains, and an uncertain result without maybe_sent", function()
    local function judge(hosting, fields)
      fields.message = ""
      return faults.judge(hosting, errors.new(fields))
    end
    assert.is_nil(judge("on_premise", { kind = "rate_limited", status = 503 }))
    assert.is_nil(judge("cloud", { kind = "unavailable", status = 503, maybe_sent = true }))
    assert.matches("maybe_sent is false", judge("cloud", { kind = "unavailable", status = 503 }))
    assert.matches("nothing has caused", judge("cloud", { kind = "cancelled", maybe_sent = true }))
    assert.matches("nothing has caused", judge("on_premise", { kind = "invalid", status = 400, code = 1008 }))
  end)
end)
