-- The library and the emulator each implement the message rules of docs/platform independently. This spec compares the
-- two implementations.

local core = require "waba.core"
local messages = require "spec.support.messages"
local rules = require "spec.support.rules"
local waba = require "waba"

local NUMBER = "4915112345678"

local function count_of(list)
  local count = 0
  for _ in pairs(list) do count = count + 1 end
  return count
end

-- Adds tests for the error codes of one hosting: the error in a response or status of the gateway must have the fields
-- of the library's table.
local function error_codes(fixture, rows)
  it("map every error code of a response to its kind", function()
    local gateway, client = fixture()
    for code, row in pairs(rows) do
      if row.arrives ~= "status" then
        gateway:fail_next { method = "POST", code = code, title = row.title }
        local sent, err = client:send(NUMBER, waba.text "Hi")
        assert.is_nil(sent, code)
        assert.equal(code, err.code)
        local kind = row.kind
        if code == 1006 then kind = err.kind == "recipient" and "recipient" or kind end
        assert.equal(kind, err.kind, code)
        assert.equal(row.retryable, err.retryable, code)
      end
    end
  end)

  it("map every error code of a status to its kind", function()
    local gateway, client = fixture()
    local failed = {}
    local receiver = waba.receiver { open = true, on = {
      failed = function(event) failed[event.id] = event.errors[1] end,
    } }
    local server = assert(waba.webhook.server { receiver = receiver })
    assert(client.webhook:set { url = server:url() })
    local expected = {}
    for code, row in pairs(rows) do
      if row.arrives ~= "response" then
        gateway:fail_status { code = code, title = row.title }
        expected[assert(client:send(NUMBER, waba.text "Hi")).id] = row
      end
    end
    local deadline = os.time() + 20
    while count_of(failed) < count_of(expected) and os.time() < deadline do server:step(0.05) end
    server:close()
    assert.is_true(count_of(expected) > 10)
    for id, row in pairs(expected) do
      local err = assert(failed[id], row.code)
      assert.equal(row.code, err.code)
      assert.equal(row.kind, err.kind)
      assert.equal(row.title, err.title)
    end
  end)
end

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

  it("both accept one example of every message type", function()
    for _, example in ipairs(messages.examples()) do
      local sent, err = checking:send(NUMBER, example.message)
      assert(sent or err.kind == "template" or err.kind == "media" or err.code == 2024 or err.code == 1006,
        example.name .. ": " .. tostring(err))
    end
  end)

  it("both accept random well-formed messages, and one of them refuses each mistake", function()
    local rng = messages.rng(118)
    for round = 1, 8 do
      for _, kind in ipairs(messages.kinds) do
        local message = messages.random(rng, kind)
        local sent, err = checking:send(NUMBER, message)
        -- A valid message may be refused because its file does not exist, or because the template has other parameters.
        local well_formed = sent or err.kind == "template"
          or err.code == 1006 and err.details:find("is not the id of an uploaded file", 1, true)
        assert(well_formed, ("round %d, %s: %s"):format(round, kind, tostring(err)))
        local wrong, mistake = messages.mutate(rng, message)
        local refused = not waba.check(wrong) or not open:send(NUMBER, wrong)
        assert.is_true(refused, ("round %d, %s: %s"):format(round, kind, mistake))
      end
    end
  end)

  error_codes(function() return emulator, checking end, require "waba.hosting.on_premise.error_codes")
end)

describe("the library and the emulator of Cloud hosting", function()
  local emulator, checking, open
  local recipients = 0

  setup(function()
    emulator = assert(waba.emulator.start { statuses = false })
    checking = waba.client(emulator:options { hosting = "cloud", pace = false, retry = false })
    open = waba.client(emulator:options { hosting = "cloud", pace = false, retry = false, validate = false })
  end)

  teardown(function()
    checking:close()
    open:close()
    emulator:stop()
  end)

  error_codes(function() return emulator.cloud, checking end, require "waba.hosting.cloud.error_codes")

  -- Returns another recipient for each message, because the rate to one recipient is limited.
  local function recipient(message)
    recipients = recipients + 1
    return message.type == "pin" and { group_id = "Y2FwaV9ncm91cDox" } or ("49151%07d"):format(recipients)
  end

  -- Returns whether the message was sent, or refused only because its file does not exist.
  local function well_formed(sent, err)
    return sent or err.code == 100 and err.details:find("is not the id of an uploaded file", 1, true) ~= nil
  end

  it("both accept one example of every message type", function()
    for _, example in ipairs(messages.examples "cloud") do
      local sent, err = checking:send(recipient(example.message), example.message)
      assert(well_formed(sent, err), example.name .. ": " .. tostring(err))
    end
  end)

  it("both accept random well-formed messages, and one of them refuses each mistake", function()
    local rng = messages.rng(118)
    for round = 1, 4 do
      for _, kind in ipairs(messages.kinds_of "cloud") do
        local message = messages.random(rng, kind, "cloud")
        local sent, err = checking:send(recipient(message), message)
        assert(well_formed(sent, err), ("round %d, %s: %s"):format(round, kind, tostring(err)))
        local wrong, mistake = messages.mutate(rng, message)
        local refused = not waba.check(wrong, "cloud") or not open:send(recipient(wrong), wrong)
        assert.is_true(refused, ("round %d, %s: %s"):format(round, kind, mistake))
      end
    end
  end)
end)

-- Patterns of names of rules. The library refuses messages that violate these rules. The emulator accepts these
-- messages, because docs/platform does not state the rule, or because the emulator compares the message with the
-- approved template instead.
local STRICTER = {
  on_premise = {
    "link: format$", "^contacts.*: format$", "^contacts.*: is$", "^location.*itude: is$", "^hsm.*: is$",
    "sections%[%].title: characters$", "^interactive%(list%).action.button: format$", "language: unknown fields$",
    "%.date_time: exactly_one$", "^template.*: count$", "components: body_text$", "s: is$", "^template.*text: characters$",
  },
  cloud = {
    "link: format$", "ur[il]: format$", "^contacts.*: format$", "^contacts.*: is$", "^contacts.*type: one_of$",
    "itude: is$", "^reaction.emoji: format$", "sections%[%].title: characters$", "filename: characters$",
    "flow_token: characters$", "flow_cta: format$", "%(flow%).action.parameters: requires$",
    "validation_errors: unknown fields$", "saved_addresses: is$", "timestamp: is$", "payment_configuration: characters$",
    "payment_settings: is$", "payment_gateway", ": not_empty$", "order.catalog_id: characters$", "order_details.*: at_least_one$",
    "^template.namespace: ", "^template.*: count$", "^template.*: body_text$", "^template.*s: is$", "date_time%.",
    "^template.*: all_or_none$", "^template.*: unique$", "^template.*%(text%).text: characters$", "expiration_time_ms: range$",
    "^template.*: parameters is required$", "%.action: [%l_]+ is required$",
  },
}

-- Patterns of names of rules. The emulator refuses messages that violate these rules; the library accepts these
-- messages.
local LOOSER = {
  on_premise = { "^interactive%(address_message%)", "^interactive%(order_", "^interactive: ", "language.code: characters$" },
  cloud = { "card_index: range$", "%(voice_call%).*payload: characters$", "%(tap_target_configuration%)",
    "^template.components%[%]: type is", "language.code: characters$" },
}

local CHECKS = {
  on_premise = function(message) return require("waba.emulator.on_premise.message_rules").check(message) end,
  cloud = function(message) return require("waba.emulator.cloud.message_rules").check(message, {}) end,
}

local function any_fits(patterns, name)
  for _, pattern in ipairs(patterns) do
    if name:find(pattern) then return true end
  end
  return false
end

for hosting, check in pairs(CHECKS) do
  describe("every rule of messages for " .. hosting, function()
    local encode = require("waba.hosting." .. hosting).encode_message

    -- Returns whether the emulator accepts a message, or nil if the library can't encode the message.
    local function takes(message)
      if type(message) ~= "table" then return nil end
      local content = message.template or message.hsm
      local language = type(content) == "table" and type(content.language) == "table" and content.language
      -- the library accepts any language code, the emulator only known ones
      if language and tostring(language.code):find "^x%d+$" then language.code = "de" end
      local to, form = "49151123456", nil
      if message.type == "pin" then to, form = "Y2FwaV9ncm91cDox", "group" end
      local body = encode(to, message, { validate = false, namespace = "ns" }, nil, form)
      local json = body and core.encode(body)
      if not json then return nil end
      local fault = check(core.decode(json))
      return fault == nil, fault
    end

    -- Returns the rules for which the emulator's result is not the expected one: the name of each rule, and the
    -- emulator's error. Rules of the envelope are ignored.
    local function differing(side, expected, known)
      local found = {}
      for _, case in ipairs(rules.cases(hosting)) do
        if not case.name:find "^[:(]" and not any_fits(known[hosting], case.name) then
          for _, one in ipairs(case[side]) do
            local message = side == "bad" and one.message or one
            local taken, fault = takes(message)
            if taken == not expected then found[case.name] = fault and fault.details or "taken" end
          end
        end
      end
      return found
    end

    it("is also a rule of the emulator, except for the rules in STRICTER", function()
      assert.same({}, differing("bad", false, STRICTER))
    end)

    it("is not stricter in the emulator, except for the rules in LOOSER", function()
      assert.same({}, differing("good", true, LOOSER))
    end)
  end)
end
