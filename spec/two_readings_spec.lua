-- The library's rules and the emulator's are two readings of one reference: here they meet.

local waba = require "waba"
local messages = require "spec.support.messages"
local rows = require "waba.hosting.on_premise.error_rows"

local NUMBER = "4915112345678"

describe("the library and the emulator", function()
  local emulator, checking, open

  setup(function()
    emulator = assert(waba.emulator.start { statuses = false })
    checking = waba.client(emulator:options { pace = false, retry = false,
      namespace = "9c1f0b52_4d7e_4a11_8f3d_2b6a7c5d1e90" })
    open = waba.client(emulator:options { pace = false, retry = false, validate = false,
      namespace = "9c1f0b52_4d7e_4a11_8f3d_2b6a7c5d1e90" })
  end)

  teardown(function()
    checking:close()
    open:close()
    emulator:stop()
  end)

  it("both take one example of every message type", function()
    for _, example in ipairs(messages.examples()) do
      local sent, err = checking:send(NUMBER, example.message)
      assert(sent or err.kind == "template" or err.kind == "media" or err.code == 2024 or err.code == 1006,
        example.name .. ": " .. tostring(err))
    end
  end)

  it("both take random well-formed messages, and one of them refuses each mistake", function()
    local rng = messages.rng(118)
    for round = 1, 8 do
      for _, kind in ipairs(messages.kinds) do
        local message = messages.random(rng, kind)
        local sent, err = checking:send(NUMBER, message)
        -- the form is right; the file it names is not there, or the template it names wants other parameters
        local well_formed = sent or err.kind == "template"
          or err.code == 1006 and err.details:find("there is no media", 1, true)
        assert(well_formed, ("round %d, %s: %s"):format(round, kind, tostring(err)))
        local wrong, mistake = messages.mutate(rng, message)
        local refused = not waba.check(wrong) or not open:send(NUMBER, wrong)
        assert.is_true(refused, ("round %d, %s: %s"):format(round, kind, mistake))
      end
    end
  end)

  it("carry every error code of an answer to its kind", function()
    for code, row in pairs(rows) do
      if row.arrives ~= "status" then
        emulator:fail_next { path = "/v1/messages", code = code, title = row.title }
        local sent, err = checking:send(NUMBER, waba.text "Hi")
        assert.is_nil(sent)
        assert.equal(code, err.code)
        local kind = row.kind
        if code == 1006 then kind = err.kind == "recipient" and "recipient" or kind end
        assert.equal(kind, err.kind, code)
        assert.equal(row.retryable, err.retryable, code)
      end
    end
  end)

  it("carry every error code of a status to its kind", function()
    local failed = {}
    local receiver = waba.receiver { open = true, on = {
      failed = function(event) failed[event.id] = event.errors[1] end,
    } }
    local server = assert(waba.webhook.server { receiver = receiver })
    assert(checking.webhook:set { url = server:url() })
    local expected, count = {}, 0
    for code, row in pairs(rows) do
      if row.arrives ~= "response" then
        emulator:fail_status { code = code, title = row.title }
        expected[assert(checking:send(NUMBER, waba.text "Hi")).id] = row
        count = count + 1
      end
    end
    local deadline = os.time() + 20
    local function arrived()
      local n = 0
      for _ in pairs(failed) do n = n + 1 end
      return n
    end
    while arrived() < count and os.time() < deadline do server:step(0.05) end
    server:close()
    assert.is_true(count > 40)
    for id, row in pairs(expected) do
      local err = assert(failed[id], row.code)
      assert.equal(row.code, err.code)
      assert.equal(row.kind, err.kind)
      assert.equal(row.title, err.title)
    end
  end)
end)
