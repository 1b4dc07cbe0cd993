-- waba inbox shows and changes the inbox of a receiver.

local command = require "spec.support.command"
local inboxes = require "spec.support.inbox"
local process = require "spec.support.process"
local sqlite = require "spec.support.sqlite"
local waba = require "waba"

local unpack = table.unpack or unpack

local function message(id, from)
  return { kind = "message", hosting = "on_premise", id = id, from = from, type = "text", text = "secret " .. id, raw = {} }
end

for _, backend in ipairs { "sqlite", "redis" } do
  describe("waba inbox with " .. backend, function()
    local opened, box

    before_each(function()
      opened = inboxes.open(backend)
      box = opened.inbox
      -- Of the four events one waits, one is taken, and two are dead letters.
      assert(box:put { message("a", "1"), message("b", "2"), message("c", "3"), message("d", "4") })
      local taken = assert(box:take(3))
      assert(box:fail(taken[1], "no network", true) == false)
      assert(box:fail(taken[2], "no room", true) == false)
    end)

    after_each(function() opened.close() end)

    local function run(arguments, input)
      return command.run_with({ "inbox", opened.option, opened.value }, arguments, input)
    end

    it("shows the number of waiting events", function()
      assert.matches("waiting: +2\n", run({ "depth" }).out)
      assert.equal(2, run({ "depth", "--json" }).json.depth)
    end)

    it("lists events with age, conversation and reason, and texts only with an option", function()
      local result = run { "list" }
      assert.equal(0, result.code)
      assert.matches("waiting +%d+s +4 +message text", result.out)
      assert.matches("taken +%d+s +3 +message text", result.out)
      assert.is_nil(result.out:find "secret")
      result = run { "list", "--dead", "--reason", "room", "--text" }
      assert.matches("^%d+ +dead +%d+s +2 +message text +no room +secret b\n$", result.out)
      assert.is_nil(run({ "list", "--json" }).out:find "secret")
      assert.equal(2, #run({ "list", "--dead", "--json" }).json)
    end)

    it("shows one event, and its text only with an option", function()
      local id = run({ "list", "--dead", "--json" }).json[1].id
      local result = run { "show", id }
      assert.matches("reason: +no network", result.out)
      assert.is_nil(result.out:find "secret")
      assert.matches('"text":"secret a"', run({ "show", id, "--text" }).out)
      assert.equal(1, run({ "show", "7" }).code)
    end)

    it("retries one event, those with a reason, or all", function()
      local id = run({ "list", "--dead", "--json" }).json[1].id
      assert.equal("1 event put back\n", run({ "retry", id }).out)
      assert.equal("0 events put back\n", run({ "retry", "--reason", "network" }).out)
      assert.equal("1 event put back\n", run({ "retry", "--all" }).out)
      assert.equal(4, box:depth())
      assert.equal(2, run({ "retry" }).code)
      local result = run { "retry", id }
      assert.equal(1, result.code)
      assert.matches("there is no dead letter " .. id .. ": waba inbox list shows the ids", result.err, 1, true)
    end)

    it("asks before it removes events", function()
      local result = run({ "drop", "--dead", "--all" }, "n\n")
      assert.equal(1, result.code)
      assert.matches("Remove these events", result.err)
      assert.equal("2 events removed\n", run({ "drop", "--dead", "--all" }, "y\n").out)
      assert.equal("1 event removed\n", run({ "drop", "--all", "--yes" }).out) -- the taken event is not removed
      assert.equal(1, box:depth())
      local id = box:list()[1].id
      result = run { "drop", id, "--yes" }
      assert.same({ 1, "waba: the event " .. id .. " is taken: a worker handles it\n" }, { result.code, result.err })
    end)

    it("refuses an empty reason, such as of an empty variable", function()
      for _, words in ipairs {
        { "drop", "--dead", "--reason", "", "--yes" }, { "retry", "--reason", "" },
        { "purge", "--older-than", "1s", "--reason", "", "--yes" },
      } do
        local result = run(words)
        assert.equal(2, result.code)
        assert.matches("--reason is empty: expected a part of the reason", result.err, 1, true)
      end
      assert.equal(2, #run({ "list", "--dead", "--json" }).json)
    end)

    it("removes events that are older than an age", function()
      assert.equal("0 events removed\n", run({ "purge", "--older-than", "1h", "--dead", "--yes" }).out)
      process.sleep(2.1)
      assert.equal("2 events removed\n", run({ "purge", "--older-than", "1s", "--dead", "--yes" }).out)
      assert.equal(2, run({ "purge", "--older-than", "soon" }).code)
    end)

    it("lists and shows an event that can't be read", function()
      assert(box.store:put { { body = "{", names = { "5" }, lane = "" } })
      local result = run { "list" }
      assert.equal(0, result.code)
      assert.matches("waiting +%d+s +5\n", result.out)
      box:take(2)
      local row = run({ "list", "--dead", "--json", "--reason", "can't be read" }).json[1]
      assert.equal("5", row.conversation)
      assert.matches("the stored event can't be read", run({ "show", row.id, "--text" }).out, 1, true)
    end)

    it("does not show the password of a malformed URL", function()
      local result = command.run({}, { "inbox", "--redis", "redis://me:hush-hush@host:x", "depth" })
      assert.equal(2, result.code)
      assert.matches("expected redis://host:port/database", result.err, 1, true)
      assert.is_nil((result.out .. result.err):find("hush", 1, true))
    end)

    it("requires an inbox", function()
      assert.equal(2, command.run({}, { "inbox", "depth" }).code)
      assert.equal(2, command.run({}, { "inbox", "--sqlite", "/nonexistent/x.db", "depth" }).code)
      assert.equal(2, command.run({}, { "inbox", "--redis", "localhost", "depth" }).code)
    end)
  end)
end

describe("a command on a store", function()
  local COMMANDS = {
    { "top", "--json", "--sqlite" }, { "top", "--json", "--outbox" }, { "inbox", "depth", "--sqlite" },
    { "outbox", "depth", "--sqlite" }, { "suppressions", "list", "--sqlite" },
  }

  it("refuses a file that is no store, and does not change it", function()
    local folder = process.folder()
    local app = sqlite.open(folder:file "app.db")
    app:execute "CREATE TABLE customer (name TEXT)"
    app:close()
    folder:write("empty.db", "")
    for _, name in ipairs { "app.db", "empty.db" } do
      local before = folder:read(name)
      for _, words in ipairs(COMMANDS) do
        local list = { unpack(words) }
        list[#list + 1] = folder:file(name)
        local result = command.run({}, list)
        local said = result.err .. result.out
        assert.equal(2, result.code, said)
        assert.truthy(said:find(folder:file(name), 1, true), said)
        assert.matches("it is not a store of waba", said)
        assert.is_true(folder:read(name) == before, name)
      end
    end
    folder:remove()
  end)

  it("reports a damaged file", function()
    local folder = process.folder()
    local path = folder:file "outbox.db"
    local box = waba.outbox.sqlite { file = path, sync = false }
    assert(box:put { to = "491511234567", message = waba.text "Hi" })
    box:close()
    local connection = sqlite.open(path)
    local page = connection:execute("SELECT rootpage FROM sqlite_master WHERE name = 'waba_entry'")[1][1]
    local size = connection:execute("PRAGMA page_size")[1][1]
    connection:close()
    local file = assert(io.open(path, "r+b"))
    file:seek("set", (page - 1) * size)
    file:write(("x"):rep(size))
    file:close()
    for _, words in ipairs { { "outbox", "depth", "--sqlite", path }, { "top", "--outbox", path } } do
      local result = command.run({}, words)
      assert.equal(1, result.code, result.out)
      assert.truthy(result.err:find(path .. ": database disk image is malformed", 1, true), result.err)
    end
    folder:remove()
  end)
end)
