-- Messages that the gateway refuses after the customer service window has closed, and the templates that replace them;
-- also customers who have stopped marketing messages.

local errors = require "waba.errors"
local opt_outs = require "waba.webhook.opt_outs"
local waba = require "waba"

local PHONE, OTHER, NUMBER = "4915112345678", "4915187654321", "4930555019"
local OFFER = waba.template { name = "offer", language = "en" }

local counter = 0

local function status(id, more)
  counter = counter + 1
  local event = { kind = "status", hosting = "cloud", id = id, status = "failed", recipient = PHONE, number = NUMBER,
    timestamp = os.time() + counter, errors = { errors.new { kind = "window", code = 131047, message = "m" } }, raw = {} }
  for name, value in pairs(more or {}) do event[name] = value or nil end
  return event
end

-- Returns a receiver, the list of its sent messages, and the list of its handled statuses. `results` are the results of
-- the client's sends.
local function new(results, more)
  local sent, handled = {}, {}
  local client = { mark_read = print, send = function(_, to, message)
    sent[#sent + 1] = { to, message }
    local result = results and table.remove(results, 1)
    if errors.is_error(result) then return nil, result end
    return { id = result or "wamid.new" }
  end }
  local options = { open = true, inbox = waba.inbox.memory { retry = { attempts = 3, base = 0 } }, client = client,
    on = { failed = function(event) handled[#handled + 1] = event.replaced or {} end } }
  for name, value in pairs(more or {}) do options[name] = value or nil end
  return waba.receiver(options), sent, handled
end

local function handle(receiver, event)
  receiver.inbox:put { event }
  return receiver:work()
end

describe("a template in place of a message", function()
  it("is sent when a status reports that the window was closed, once", function()
    local receiver, sent, handled = new()
    assert.is_nil((receiver:expect("wamid.1", PHONE, OFFER)))
    handle(receiver, status "wamid.1")
    handle(receiver, status("wamid.1", { recipient = OTHER }))
    assert.same({ { PHONE, OFFER } }, sent)
    assert.same({ { id = "wamid.new" }, {} }, handled)
  end)

  it("is sent if the status arrived first, without calling the handlers of the status again", function()
    local receiver, sent, handled = new()
    handle(receiver, status "wamid.1")
    assert.same({ 0, 1 }, { #sent, #handled })
    assert.is_nil((receiver:expect("wamid.1", PHONE, OFFER)))
    assert.equal(1, (receiver:work()))
    assert.same({ 1, 1 }, { #sent, #handled })
    receiver:expect("wamid.1", PHONE, OFFER)
    receiver:work()
    assert.equal(1, #sent)
  end)

  it("is not sent after another status or another error", function()
    for index, more in ipairs {
      { status = "delivered" }, { errors = { errors.new { kind = "recipient", message = "m" } } }, { errors = {} },
      { errors = false }, { kind = "message", type = "text", from = PHONE }, { id = "wamid.2" },
    } do
      local receiver, sent = new()
      receiver:expect("wamid.1", PHONE, OFFER)
      handle(receiver, status("wamid.1", more))
      assert.equal(0, #sent, index)
      handle(receiver, status("wamid.1", { errors = { errors.new { kind = "api", message = "m" }, status("x").errors[1] },
        recipient = OTHER }))
      assert.equal(1, #sent, index)
    end
  end)

  it("is sent again later only if it was certainly not sent", function()
    for index, row in ipairs {
      { errors.new { kind = "rate_limited", message = "m", retryable = true }, 2, nil },
      { errors.new { kind = "timeout", message = "m", retryable = true, maybe_sent = true }, 1, "timeout" },
      { errors.new { kind = "template", message = "m" }, 1, "template" },
    } do
      local receiver, sent, handled = new { row[1] }
      receiver:expect("wamid.1", PHONE, OFFER)
      handle(receiver, status "wamid.1")
      assert.equal(row[2], #sent, index)
      local replaced = handled[#handled]
      assert.equal(row[3], replaced.error and replaced.error.kind, index)
      assert.equal(not row[3] and "wamid.new" or nil, replaced.id)
    end
  end)

  it("needs a client, and a message that can be stored", function()
    local receiver, _, handled = new(nil, { client = false })
    receiver:expect("wamid.1", PHONE, OFFER)
    handle(receiver, status "wamid.1")
    assert.same({ {} }, handled)
    assert.is_string(receiver.inbox:get "otherwise:wamid.1")
    local ok, raised = pcall(receiver.expect, receiver, "wamid.1", PHONE, waba.template { name = "\255", language = "en" })
    assert.is_false(ok)
    assert.truthy(raised:find("client:send: option otherwise: ", 1, true), raised)
  end)
end)

describe("the window of a customer", function()
  it("is opened by the latest message, and infinite for a group", function()
    local receiver = new()
    assert.equal(0, receiver:window(PHONE))
    assert.equal(math.huge, receiver:window { group_id = "G" })
    for index, age in ipairs { 5000, 1000, 3000 } do
      local is_second = index == 2
      receiver.inbox:put { { kind = "message", hosting = "cloud", id = "m" .. index, type = "text", from = PHONE,
        number = is_second and "4930555020" or NUMBER, phone_number_id = is_second and "8" or "7",
        timestamp = os.time() - age, raw = {} } }
    end
    local left = receiver:window(PHONE)
    assert.is_true(left > 85000 and left <= 85500, left)
    left = receiver:window(PHONE, "7")
    assert.is_true(left > 83000 and left <= 83500, left)
    assert.equal(0, receiver:window(OTHER))
    local nothing, err = receiver:window "call me"
    assert.is_nil(nothing)
    assert.equal("invalid", err.kind)
  end)
end)

describe("a customer who wants no marketing messages", function()
  local function names(receiver, number)
    local list = {}
    for index, row in ipairs(assert(opt_outs.list(receiver.inbox, number))) do
      list[index] = ("%s %s %s"):format(row.to, row.reason, tostring(row.number))
      assert.is_true(math.abs(row.at - os.time()) < 5)
    end
    return table.concat(list, ", ")
  end

  it("is recorded by a program, for one number or for all", function()
    local receiver = new()
    -- after this event the business number is known
    handle(receiver, status("wamid.0", { kind = "message", type = "text", from = PHONE, errors = false }))
    assert.is_false(receiver:suppressed(PHONE))
    assert.is_true(receiver:suppress(PHONE, NUMBER))
    assert.is_true(receiver:suppress(OTHER))
    assert.same({ "own", "own", "own", false }, { receiver:suppressed(PHONE), (receiver:suppressed(PHONE, NUMBER)),
      (receiver:suppressed(OTHER, NUMBER)), (receiver:suppressed(PHONE, "4930555020")) })
    assert.equal(PHONE .. " own 4930555019, " .. OTHER .. " own nil", names(receiver))
    assert.equal(PHONE .. " own 4930555019", names(receiver, NUMBER))
    assert.same({ true, false, false, true }, { opt_outs.is_set(receiver.inbox, PHONE, NUMBER),
      (opt_outs.is_set(receiver.inbox, PHONE)), (opt_outs.is_set(receiver.inbox, OTHER, NUMBER)),
      (opt_outs.is_set(receiver.inbox, OTHER)) })
    assert.is_true(receiver:unsuppress(OTHER))
    assert.is_true(receiver:unsuppress(PHONE))
    assert.same({ "own", false }, { receiver:suppressed(PHONE), (receiver:suppressed(OTHER)) })
    assert.is_true(receiver:unsuppress(PHONE, NUMBER))
    assert.equal("", names(receiver))
    for _, method in ipairs { "suppress", "unsuppress", "suppressed" } do
      local result, err = receiver[method](receiver, "call me")
      assert.is_nil(result)
      assert.equal("invalid", err.kind)
    end
  end)

  it("is recorded from preferences and from the code 131050", function()
    local stop = { errors = { { code = 1 }, { code = 131050, kind = "recipient", message = "m" } } }
    local function preference(value, category)
      return { kind = "preference", status = false, errors = false, from = PHONE, value = value, category = category or
        "marketing_messages" }
    end
    for index, row in ipairs {
      { stop, "131050" }, { { errors = { { code = 131049, kind = "recipient", message = "m" } } }, false },
      { preference "stop", "preference" }, { preference "resume", false }, { preference("stop", "other"), false },
      { preference "odd", false },
    } do
      local receiver = new()
      handle(receiver, status("wamid.1", row[1]))
      handle(receiver, status("wamid.0", { kind = "message", type = "text", from = PHONE, errors = false }))
      assert.equal(row[2], receiver:suppressed(PHONE, NUMBER), index)
    end
    local receiver = new()
    handle(receiver, status("wamid.0", { kind = "message", type = "text", from = PHONE, errors = false }))
    handle(receiver, status("wamid.1", preference "stop"))
    handle(receiver, status("wamid.2", preference "odd"))
    assert.equal("preference", receiver:suppressed(PHONE))
    handle(receiver, status("wamid.3", preference "resume"))
    assert.is_false(receiver:suppressed(PHONE))
  end)

  it("is listed with any number of others", function()
    local receiver = new()
    for number = 1, 1001 do assert(receiver:suppress("49151" .. 1000000 + number)) end
    local list = assert(opt_outs.list(receiver.inbox))
    assert.equal(1001, #list)
    for index = 2, #list do assert.is_true(list[index - 1].to < list[index].to) end
  end)
end)
