-- Webhooks that both hostings can send: the library returns the same event for the webhook of each hosting.

local core = require "waba.core"
local encoding = require "waba.encoding"
local errors = require "waba.errors"
local waba = require "waba"
local webhooks = require "spec.support.webhooks"

local rows = webhooks.rows()

local function is_integer(number)
  return type(number) == "number" and (not math.type or math.type(number) == "integer")
end

for _, hosting in ipairs { "on_premise", "cloud" } do
  local function read(body)
    local events = assert(waba.events(body))
    for _, event in ipairs(events) do assert.equal(hosting, event.hosting) end
    return events
  end

  describe("the event that " .. hosting .. " makes of", function()
    for _, row in ipairs(rows) do
      it(row.name, function()
        local events = read(row[hosting])
        assert.equal(1, #events)
        local event = events[1]
        for name, value in pairs(row.event) do assert.same(value, event[name], name) end
        for name, value in pairs(row.system or {}) do assert.same(value, event.system[name], name) end
        for _, name in ipairs(row.absent) do assert.is_nil(event[name], name) end
        assert.is_true(is_integer(event.timestamp))
        assert.equal(event.id, event.raw.id)
        if row.code or row.kind then
          assert.is_true(errors.is_error(event.errors[1]))
          if row.code then assert.equal(row.code, event.errors[1].code) end
          if row.kind then assert.equal(row.kind, event.errors[1].kind) end
        end
        if hosting == "cloud" then
          for name, value in pairs(webhooks.place) do assert.equal(value, event[name], name) end
        end
      end)
    end

    it("errors without a message", function()
      local events = read(webhooks[hosting] { errors = '{"code":131031,"title":"Account locked"}' })
      assert.equal(1, #events)
      assert.equal("error", events[1].kind)
      assert.equal(131031, events[1].error.code)
      assert.is_true(errors.is_error(events[1].error))
      assert.equal("Account locked", events[1].raw.title)
    end)

    it("times in milliseconds, as numbers, and missing ones", function()
      local events = read(webhooks[hosting] { messages = {
        '{"from":"1","id":"a","timestamp":"1767225599123"}', '{"from":"1","id":"b","timestamp":1767225599}',
        '{"from":"1","id":"c","timestamp":"soon"}', '{"from":"1","id":"d","timestamp":"1767225599.9"}',
      } })
      assert.equal(1767225599, events[1].timestamp)
      assert.equal(1767225599, events[2].timestamp)
      assert.is_nil(events[3].timestamp)
      assert.equal(1767225599, events[4].timestamp)
      for _, index in ipairs { 1, 2, 4 } do assert.is_true(is_integer(events[index].timestamp)) end
    end)

    it("members of the wrong type", function()
      local events = read(webhooks[hosting] {
        contacts = { "7", '{"profile":3,"wa_id":[]}' },
        messages = { '"odd"', "null", '{"id":17,"type":{"a":1},"from":{"b":2},"context":3,"errors":"bad","identity":[]}',
          '{"id":"x","from":"1","type":"image","image":[]}', '{"id":"y","from":"1","type":"text","text":"plain"}' },
        statuses = { '"odd"', '{"id":null,"status":5,"conversation":"c","pricing":[1],"errors":null}' },
        errors = { '"bad"', "null" },
      })
      local seen = {}
      for index, event in ipairs(events) do
        seen[index] = event.kind .. ":" .. tostring(event.type or event.status or event.field or "")
      end
      assert.equal("message:unknown message:unknown message:image message:text status:unknown status:5 error:",
        table.concat(seen, " ", 1, 7))
      assert.equal("odd", events[1].raw)
      assert.equal("17", events[2].id)
      assert.equal("plain", events[4].text)
    end)

    it("three megabytes of a thousand updates, in their order", function()
      local messages, statuses = {}, {}
      for number = 1, 500 do
        messages[number] = ('{"from":"%d","id":"m%d","timestamp":"1767225599","type":"text","text":{"body":"%s"}}'):format(
          number, number, ("x"):rep(6000))
        statuses[number] = ('{"id":"s%d","status":"sent","recipient_id":"%d"}'):format(number, number)
      end
      local body = webhooks[hosting] { messages = messages, statuses = statuses }
      assert.is_true(#body > 3000000)
      local events = read(body)
      assert.equal(1000, #events)
      for number = 1, 500 do
        assert.equal("m" .. number, events[number].id)
        assert.equal("s" .. number, events[500 + number].id)
      end
    end)
  end)
end

describe("a status", function()
  it("runs the handler with its name", function()
    local seen, on = {}, {}
    local names = { "sent", "delivered", "read", "played", "failed", "deleted", "warning" }
    for _, name in ipairs(names) do
      on[name] = function(event) seen[#seen + 1] = name .. " " .. event.status end
    end
    local receiver = waba.receiver { open = true, on = on }
    for i, name in ipairs(names) do
      local body = ('{"statuses":[{"id":"m%d","status":"%s","recipient_id":"%d"}]}'):format(i, name, i)
      assert.equal(200, (receiver:handle { method = "POST", headers = {}, body = body }))
    end
    assert.equal(0, select(2, receiver:work()))
    table.sort(seen)
    assert.same({ "deleted deleted", "delivered delivered", "failed failed", "played played", "read read", "sent sent",
      "warning warning" }, seen)
  end)
end)

describe("a receiver during a move between the hostings", function()
  it("accepts both forms at one address, and runs the same handlers", function()
    local seen = {}
    local receiver = waba.receiver { user = "u", password = "p", secret = "sign", on = {
      text = function(event) seen[#seen + 1] = event.hosting .. ":" .. event.text end,
      voice = function(event) seen[#seen + 1] = event.hosting .. ":voice" end,
      failed = function(event) seen[#seen + 1] = event.hosting .. ":" .. event.errors[1].kind end,
      played = function(event) seen[#seen + 1] = event.hosting .. ":played" end,
    } }
    for _, row in ipairs(rows) do
      local headers = { authorization = encoding.basic("u", "p") }
      assert.equal(200, (receiver:handle { method = "POST", headers = headers, body = row.on_premise }))
      -- The id of a message on Cloud hosting begins with "wamid.".
      local body = row.cloud:gsub('"id":"w', '"id":"wamid.')
      headers = { ["X-Hub-Signature-256"] = "sha256=" .. core.hmac_sha256("sign", body) }
      assert.equal(200, (receiver:handle { method = "POST", headers = headers, body = body }))
      assert.equal(401, (receiver:handle { method = "POST", headers = headers, body = body .. " " }))
    end
    assert.equal(0, select(2, receiver:work()))
    table.sort(seen)
    assert.same({
      "cloud:Hallo 🙂", "cloud:played", "cloud:voice", "cloud:window", "cloud:x", "cloud:x",
      "on_premise:Hallo 🙂", "on_premise:played", "on_premise:voice", "on_premise:window", "on_premise:x", "on_premise:x",
    }, seen)
  end)
end)
