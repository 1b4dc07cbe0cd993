-- The state of a conversation, the step that handles the customer's next message, and the time in which the bot is
-- quiet, with an inbox in memory.

local waba = require "waba"

local PHONE = "4915112345678"

local counter = 0

local function event_of(kind, more)
  counter = counter + 1
  local event = { kind = kind, hosting = "cloud", id = "e" .. counter, type = "text", from = PHONE, number = "4930555019",
    timestamp = os.time(), raw = {} }
  if kind == "echo" then event.from, event.to = "4930555019", PHONE end
  for name, value in pairs(more or {}) do event[name] = value ~= "none" and value or nil end
  return event
end

-- Returns a function that handles one event, and returns the names of the handlers that ran, and the event.
local function new(options, on_message)
  local ran, seen, steps = {}, nil, {}
  local function handler(name)
    return function(event)
      ran[#ran + 1], seen = name, event
      if name == "message" and on_message then on_message(event) end
    end
  end
  local on = { message = handler "message", standby = handler "standby", echo = handler "echo", any = handler "any",
    step = setmetatable({}, nil) }
  on.step.city = handler "city"
  options = options or {}
  options.open, options.on, options.inbox = true, on, waba.inbox.memory { retry = { attempts = 1 } }
  options.client = { send = function() return { id = "x" } end, mark_read = print }
  local receiver = waba.receiver(options)
  return function(event)
    ran, seen = {}, nil
    assert.equal(1, receiver.inbox:put { event })
    local _, failed, raised = receiver:work()
    return table.concat(ran, " "), seen, failed > 0 and raised or nil
  end, receiver, steps
end

describe("the state of a conversation", function()
  it("is stored with its acknowledgement and is {} at first", function()
    local states = {}
    local handle, receiver = new(nil, function(event)
      states[#states + 1] = event.state.n or 0
      event.state.n = (event.state.n or 0) + 1
    end)
    for _ = 1, 3 do handle(event_of "message") end
    assert.same({ 0, 1, 2 }, states)
    assert.equal('{"state":{"n":3}}', receiver.inbox:get("4930555019/" .. PHONE .. ":state"))
  end)

  it("is removed when it is empty or nil", function()
    for _, empty in ipairs { {}, false } do
      local last
      local handle, receiver = new(nil, function(event)
        if last == nil then event.state = { n = 1 } else event.state = empty or nil end
        last = true
      end)
      handle(event_of "message")
      assert.is_string(receiver.inbox:get("4930555019/" .. PHONE .. ":state"))
      handle(event_of "message")
      assert.is_nil((receiver.inbox:get("4930555019/" .. PHONE .. ":state")))
    end
  end)

  it("must be a table that can be stored; else the event becomes a dead letter", function()
    for text, state in pairs {
      ["event.state must be a table or nil, not a string"] = "x", ["event.state must be a table or nil, not a boolean"] = false,
      ["event.state.f can't be stored as JSON"] = { f = print }, ["bytes as JSON: at most 65536 are stored"] = { t = ("x"):rep(65536) },
    } do
      local handle, receiver = new(nil, function(event) event.state = state end)
      local _, _, raised = handle(event_of "message")
      assert.truthy(tostring(raised):find(text, 1, true), tostring(raised))
      assert.same({ 0, 1 }, { receiver.inbox:depth(), #receiver.inbox:set_aside() })
    end
    local handle, receiver = new(nil, function(event) event.state = { t = ("x"):rep(65536 - 20) } end)
    local _, _, raised = handle(event_of "message")
    assert.is_nil(raised)
    assert.equal(0, #receiver.inbox:set_aside())
  end)

  it("is not read for a status that no handler gets", function()
    for _, has_handler in ipairs { false, true } do
      local inbox, reads = waba.inbox.memory(), 0
      local get = inbox.store.get
      function inbox.store.get(...)
        reads = reads + 1
        return get(...)
      end
      local receiver = waba.receiver { open = true, inbox = inbox, on = { read = has_handler and print or nil, text = print } }
      inbox:put { event_of("status", { status = has_handler and "sent" or "read", recipient = PHONE, from = "none", type = "none" }) }
      reads = 0
      assert.equal(1, (receiver:work()))
      assert.equal(0, reads)
    end
  end)

  it("belongs to a group on Cloud hosting", function()
    local handle, receiver = new(nil, function(event) event.state.n = 1 end)
    handle(event_of("message", { group_id = "G1" }))
    assert.equal('{"state":{"n":1}}', receiver.inbox:get "4930555019/G1:state")
    handle(event_of("message", { hosting = "on_premise", group_id = "G2" }))
    assert.is_nil((receiver.inbox:get "4930555019/G2:state"))
    assert.equal('{"state":{"n":1}}', receiver.inbox:get("4930555019/" .. PHONE .. ":state"))
  end)
end)

describe("a step", function()
  it("handles the next message only", function()
    local is_first = true
    local handle = new(nil, function(event)
      if is_first then assert(event:ask(waba.text "Where?", "city")) end
      is_first = false
    end)
    assert.equal("message any", (handle(event_of "message")))
    for _, kind in ipairs { "system", "reaction", "edit", "revoke", "request_welcome" } do
      local more = { type = kind, system = kind == "system" and { type = "customer_identity_changed" } or nil }
      assert.equal("message any", (handle(event_of("message", more))))
    end
    assert.equal("echo any", (handle(event_of "echo")))
    assert.equal("city", (handle(event_of("message", { type = "image" }))))
    assert.equal("message any", (handle(event_of "message")))
  end)

  it("needs a name", function()
    local results = {}
    local handle = new(nil, function(event)
      for index, step in ipairs { "", 5 } do results[index] = select(2, pcall(event.ask, event, waba.text "x", step)) end
    end)
    handle(event_of "message")
    for index = 1, 2 do assert.matches("event:ask: the step must be a string", results[index]) end
  end)

  it("remains after a message that is too old, and after a message to which another sender replies", function()
    for _, options in ipairs { { max_age = 100 }, { quiet_while = { echo = 100 } } } do
      local is_first = true
      local handle = new(options, function(event)
        if is_first then assert(event:ask(waba.text "Where?", "city")) end
        is_first = false
      end)
      handle(event_of "message")
      local now = os.time()
      if options.max_age then
        assert.equal("any", (handle(event_of("message", { timestamp = now - 200 }))))
      else
        assert.equal("echo any", (handle(event_of("echo", { timestamp = now - 200 }))))
        assert.equal("standby any", (handle(event_of("message", { timestamp = now - 150 }))))
      end
      assert.equal("city", (handle(event_of "message")))
    end
  end)
end)

describe("a bot with quiet_while", function()
  -- Handles events, each { kind, age in seconds, type }. Returns the names of the handlers that ran for the last event.
  local function last_of(quiet_while, list)
    local handle = new { quiet_while = quiet_while }
    local now, result = os.time(), nil
    for _, one in ipairs(list) do result = handle(event_of(one[1], { timestamp = now - one[2], type = one[3] })) end
    return (result:gsub(" any$", ""))
  end

  it("does not reply for some seconds after an echo", function()
    local quiet = { echo = 100 }
    assert.equal("message", last_of(quiet, { { "message", 0 } }))
    assert.equal("standby", last_of(quiet, { { "echo", 500 }, { "message", 401 } }))
    assert.equal("message", last_of(quiet, { { "echo", 500 }, { "message", 400 } }))
    assert.equal("standby", last_of(quiet, { { "echo", 500 }, { "echo", 900 }, { "message", 401 } }))
    assert.equal("message", last_of({ standby = 100 }, { { "echo", 500 }, { "message", 450 } }))
  end)

  it("does not reply while another sender controls the conversation", function()
    for _, row in ipairs {
      { { standby = 100 }, 401, "standby" }, { { standby = 100 }, 400, "message" }, { { standby = true }, 5, "standby" },
      { { echo = 100 }, 450, "message" },
    } do
      assert.equal(row[3], last_of(row[1], { { "standby", 500 }, { "message", row[2] } }))
      assert.equal(row[3], last_of(row[1], { { "handover", 500, "control_taken" }, { "message", row[2] } }))
      assert.equal("message", last_of(row[1], { { "handover", 500, "control_taken" }, { "handover", 490, "control_passed" },
        { "message", 450 } }))
    end
    -- an event that arrives after newer events
    for _, late in ipairs { { "standby", 495 }, { "handover", 494, "control_taken" } } do
      assert.equal("message", last_of({ standby = true }, { { "handover", 500, "control_taken" },
        { "handover", 490, "control_passed" }, late, { "message", 450 } }))
      assert.equal("message", last_of({ standby = true }, { { "handover", 490, "control_passed" }, late, { "message", 450 } }))
      assert.equal("standby", last_of({ standby = true }, { late, { "handover", 510, "control_passed" }, { "message", 450 } }))
    end
    assert.equal("standby", last_of({ standby = true }, { { "standby", 86400 }, { "message", 1 } }))
    assert.equal("message", last_of({ standby = true }, { { "standby", 86500 }, { "message", 1 } }))
  end)
end)
