-- Which handlers run for an event, in which order, and what happens after an error.

local router = require "waba.webhook.router"

local NAMES = {
  "text", "image", "audio", "voice", "button", "reply", "interactive", "unknown", "sent", "read", "failed", "payment", "message",
  "status", "account", "echo", "standby", "handover", "preference", "customer_changed", "any", "calls", "business_username_update",
}

-- Returns handlers with these names, and a list to which each handler adds its name when it runs.
local function handlers(names)
  local ran, on = {}, {}
  for _, name in ipairs(names or NAMES) do on[name] = function(_, attempts) ran[#ran + 1] = name .. attempts end end
  on.error = function(_, err) ran[#ran + 1] = "error " .. tostring(err) end
  on.step = { city = function(_, attempts) ran[#ran + 1] = "city" .. attempts end }
  return on, ran
end

local CASES = {
  { { kind = "message", type = "text" }, "text message any" }, { { kind = "message", type = "image" }, "image message any" },
  { { kind = "message", type = "hologram" }, "unknown message any" }, { { kind = "message" }, "unknown message any" },
  { { kind = "message", type = "status" }, "unknown message any" },
  { { kind = "message", type = "voice" }, "voice message any" }, { { kind = "message", type = "audio" }, "audio message any" },
  { { kind = "message", type = "audio", media = { voice = true } }, "voice message any" },
  { { kind = "message", type = "audio", media = { voice = false } }, "audio message any" },
  { { kind = "message", type = "image", media = { voice = true } }, "image message any" },
  { { kind = "message", type = "interactive", reply = { id = "1" } }, "reply message any" },
  { { kind = "message", type = "interactive" }, "interactive message any" },
  { { kind = "message", type = "button" }, "button message any" },
  { { kind = "message", type = "text", is_late = true }, "any" },
  { { kind = "message", type = "text", previous = {} }, "customer_changed text message any" },
  { { kind = "message", type = "text", previous = {}, is_late = true }, "customer_changed any" },
  { { kind = "message", type = "text" }, "city", step = "city" },
  { { kind = "message", type = "text", previous = {} }, "customer_changed city", step = "city" },
  { { kind = "message", type = "text", is_late = true }, "any", step = "city" },
  { { kind = "message", type = "text" }, "text message any", step = "street" },
  { { kind = "status", status = "read" }, "read status any" }, { { kind = "status", status = "failed" }, "failed status any" },
  { { kind = "status", status = "text" }, "status any" }, { { kind = "status", status = "any" }, "status any" },
  { { kind = "status" }, "status any" },
  { { kind = "status", status = "sent", type = "payment" }, "payment status any" },
  { { kind = "status", status = "sent", type = "call" }, "status any" },
  { { kind = "account", field = "calls" }, "calls account any" }, { { kind = "account", field = "text" }, "account any" },
  { { kind = "account", field = "business_username_updates" }, "business_username_update account any" },
  { { kind = "account" }, "account any" },
  { { kind = "echo", type = "text" }, "echo any" }, { { kind = "standby", type = "text" }, "standby any" },
  { { kind = "handover" }, "handover any" }, { { kind = "preference" }, "preference any" },
  { { kind = "error", error = "E" }, "error E any" },
}

describe("the handlers of an event", function()
  it("run in the order of type, kind and any", function()
    for index, case in ipairs(CASES) do
      local on, ran = handlers()
      local dispatch, has_handlers = router.new(on)
      local order = {}
      local session = case.step and { step = case.step, close = function() order[#order + 1] = "closed" end } or nil
      local ok, raised = dispatch(case[1], 3, function() order[#order + 1] = "prepared" end, "subject",
        function(event, prepare, subject)
          assert.same({ case[1], "function", "subject" }, { event, type(prepare), subject })
          order[#order + 1] = "opened"
          return session
        end)
      assert.is_true(ok, raised)
      assert.equal(case[2], (table.concat(ran, " "):gsub("3", "")), index)
      assert.same({ "opened", "prepared", session and "closed" }, order)
      assert.is_true(has_handlers(case[1]))
    end
  end)

  it("may be missing", function()
    for index, row in ipairs {
      { { "interactive" }, { kind = "message", type = "interactive", reply = {} }, "interactive" },
      { { "audio" }, { kind = "message", type = "voice" }, "audio" },
      { { "audio" }, { kind = "message", type = "audio", media = { voice = true } }, "audio" },
      { { "sent", "any" }, { kind = "status", type = "payment", status = "sent" }, "any" },
      { { "sent" }, { kind = "status", type = "payment", status = "sent" }, "" }, { { "sent" }, { kind = "status", status = "read" }, "" },
      { { "text" }, { kind = "message", type = "image" }, "" }, { { "image" }, { kind = "message", type = "x" }, "" },
      { { "calls" }, { kind = "account", field = "flows" }, "" }, { { "message" }, { kind = "echo" }, "" },
      { {}, { kind = "message", type = "text", previous = {} }, "" }, { {}, { kind = "status", status = "read" }, "" },
      { { "customer_changed" }, { kind = "message", type = "text", previous = {} }, "customer_changed" },
      { { "customer_changed" }, { kind = "message", type = "text" }, "" },
    } do
      local on, ran = handlers(row[1])
      local dispatch, has_handlers = router.new(on)
      local prepared = 0
      assert.is_true(dispatch(row[2], 1, function() prepared = prepared + 1 end))
      assert.equal(row[3], (table.concat(ran, " "):gsub("1", "")), index)
      assert.same({ row[3] ~= "", row[3] ~= "" and 1 or 0 }, { has_handlers(row[2]), prepared }, index)
    end
    local dispatch, has_handlers = router.new()
    assert.is_true(dispatch({ kind = "error", error = "E" }, 1))
    assert.is_false(has_handlers { kind = "error" })
  end)

  it("do not run if the event is refused before", function()
    local on, ran = handlers()
    local prepared = 0
    assert.is_true((router.new(on)({ kind = "message", type = "text" }, 1, function() prepared = prepared + 1 end, nil,
      function() return false end)))
    assert.same({ 0, 0 }, { #ran, prepared })
  end)

  it("end with the first error, which the handler of errors gets", function()
    local on, ran = handlers()
    function on.message() error("odd", 0) end
    local closed = false
    local ok, raised = router.new(on)({ kind = "message", type = "text" }, 1, nil, nil, function()
      return { close = function() closed = true end }
    end)
    assert.is_false(ok)
    assert.matches("^odd", raised)
    assert.is_false(closed)
    assert.same({ "text1", 2 }, { ran[1], #ran })
    assert.matches("^error odd", ran[2])
    ok = router.new(on)({ kind = "message", type = "text" }, 1, nil, nil, function() error("store", 0) end)
    assert.is_false(ok)
    assert.matches("^error store", ran[3])
    on.error = function() error("again", 0) end
    ok, raised = router.new(on)({ kind = "error", error = "E" }, 1)
    assert.is_false(ok)
    assert.matches("^again", raised)
    ok, raised = router.new(on)({ kind = "message", type = "text" }, 1)
    assert.is_false(ok)
    assert.matches("^odd", raised)
  end)
end)
