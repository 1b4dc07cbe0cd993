-- waba outbox: the dead letters of an outbox.

local command = require "spec.support.command"
local process = require "spec.support.process"
local waba = require "waba"

describe("waba outbox", function()
  local folder, file, box

  before_each(function()
    folder = process.folder()
    file = folder:file "outbox.db"
    box = waba.outbox.sqlite { file = file, sync = false, hosting = "cloud" }
    assert(box:put { to = "491511234567", message = waba.text "secret" })
    assert(box.store:put { { id = "new", names = { " 1" }, body = '{"version":2,"id":"new"}' },
      { id = "odd", names = { " 2" }, body = "odd" } })
    -- Both entries become dead letters: the sender can't read the body of the first entry, and finds no client for the
    -- second entry.
    waba.sender({ outbox = box, client = function() return nil end }):work()
  end)

  after_each(function()
    box:close()
    folder:remove()
  end)

  local function run(arguments, input)
    return command.run_with({ "outbox", "--sqlite", file }, arguments, input)
  end

  it("shows the number of waiting messages, and lists dead letters", function()
    assert.equal(1, run({ "depth", "--json" }).json.depth)
    local out = run({ "list" }).out
    assert.matches("another version of waba", out, 1, true)
    assert.is_nil(out:find("secret", 1, true))
    local list = run({ "list", "--reason", "not a JSON", "--json" }).json
    assert.equal("the entry is not a JSON object with a version", list[1].reason)
    assert.is_nil(list[2])
  end)

  it("names its own option for a file that does not exist", function()
    local result = command.run({}, { "outbox", "--sqlite", folder:file "missing.db", "depth" })
    assert.equal(2, result.code)
    assert.truthy(result.err:find("--sqlite: " .. folder:file "missing.db", 1, true), result.err)
  end)

  it("retries dead letters, and removes them with --yes", function()
    assert.matches("1 dead letter put back", run({ "retry", "--reason", "version 2" }).out)
    assert.equal(2, box:depth())
    assert.equal(1, run({ "drop", "--all" }, "n\n").code)
    assert.matches("1 dead letter removed", run({ "drop", "--all" }, "y\n").out)
    assert.matches("no dead letters", run({ "list" }).out)
    assert.equal(2, run({ "retry" }).code)
    assert.equal(2, run({ "retry", "--reason", "" }).code)
    assert.equal(2, run({ "drop", "--reason", "", "--yes" }).code)
  end)
end)
