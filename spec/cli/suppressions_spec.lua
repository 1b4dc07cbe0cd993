-- waba suppressions: customers who want no marketing messages.

local command = require "spec.support.command"
local inboxes = require "spec.support.inbox"
local waba = require "waba"

for _, backend in ipairs { "sqlite", "redis" } do
  describe("waba suppressions with " .. backend, function()
    local opened, box

    before_each(function()
      opened = inboxes.open(backend)
      box = opened.inbox
      assert(box:put { { kind = "message", hosting = "cloud", id = "m", from = "491511234567", phone_number_id = "5",
        number = "493099001", type = "text", timestamp = os.time(), raw = {} } })
    end)

    after_each(function() opened.close() end)

    local function run(arguments, input)
      return command.run_with({ "suppressions", opened.option, opened.value }, arguments, input)
    end

    it("adds, lists, imports and removes customers", function()
      assert.matches("no customers", run({ "list" }).out)
      local result = run { "add", "+49 151 1234567", "DE.1349" }
      assert.equal(0, result.code)
      assert.matches("2 customers added", result.out)
      assert.matches("1 customer added", run({ "--number", "493099001", "add", "4915112345" }).out)
      local lines = run({ "list" }).out
      assert.matches("491511234567 +own +%d%d%d%d%-%d%d%-%d%d %S+ +all numbers\n", lines)
      assert.matches("4915112345 +own +%S+ %S+ +493099001\n", lines)
      local receiver = waba.receiver { open = true, inbox = box }
      assert.equal("own", receiver:suppressed "491511234567")
      assert.equal("own", receiver:suppressed("4915112345", "5"))
      assert.is_false(receiver:suppressed("4915112346", "5"))
      result = run({ "import", "-", "--json" }, "+49 151 7654321\r\n\nnobody\nDE.7\n")
      assert.equal(1, result.code)
      assert.same({ count = 2, failed = 1 }, result.json)
      assert.matches("nobody: invalid: ", result.err)
      assert.equal("own", receiver:suppressed "DE.7")
      assert.equal(0, run({ "remove", "DE.7", "+49 151 7654321" }).code)
      assert.is_false(receiver:suppressed "DE.7")
      assert.equal(3, #run({ "list", "--json" }).json)
      assert.equal(1, #run({ "--number", "493099001", "list", "--json" }).json)
      assert.equal(2, run({ "import", "/nonexistent" }).code)
    end)

    it("reports a file that can't be read", function()
      local result = run { "import", "/" }
      assert.equal(2, result.code)
      assert.equal("waba: can't read /: Is a directory\n", result.err)
    end)

    it("reports a customer to remove who is not in the list", function()
      assert(run { "--number", "493099001", "add", "4915112345" })
      local result = run { "remove", "4915112345", "DE.7" }
      assert.equal(1, result.code)
      assert.matches("0 customers removed", result.out)
      assert.matches("4915112345: not in the list for all numbers", result.err)
      assert.matches("DE.7: not in the list for all numbers", result.err, 1, true)
      result = run { "--number", "493099001", "remove", "4915112345", "--json" }
      assert.equal(0, result.code, result.err)
      assert.same({ count = 1, failed = 0 }, result.json)
      assert.matches("no customers", run({ "list" }).out)
    end)
  end)
end
