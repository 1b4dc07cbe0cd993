-- lua/waba/inbox/record.lua converts events to bytes for inboxes that store bytes, and back without a change.

local core = require "waba.core"
local errors = require "waba.errors"
local record = require "waba.inbox.record"
local waba = require "waba"
local webhooks = require "spec.support.webhooks"

local INVALID = "\255\0 a:b;{}" -- invalid UTF-8, and the characters that separate values in an encoded event

local function there_and_back(event) return record.decode(record.encode(event)) end

describe("an event as bytes", function()
  it("is JSON if JSON can represent it", function()
    for _, event in ipairs {
      { kind = "message", text = "Hällo", timestamp = 1767225599 }, { kind = "error", list = { 1, 2, { a = true, b = false } } },
    } do
      assert.equal("{", record.encode(event):sub(1, 1))
      assert.same(event, there_and_back(event))
    end
  end)

  it("is complete also if JSON can't represent it", function()
    for _, event in ipairs {
      { text = INVALID }, { [INVALID] = "a", b = "c" }, { text = INVALID, yes = true, no = false, null = core.null },
      { text = INVALID, whole = 12, zero = 0, negative = -7, part = 0.1, small = -1.5e-300, large = 2 ^ 53 - 1 },
      { text = INVALID, huge = 2 ^ 53, below = -2 ^ 53, more = 1e300 }, { text = INVALID, empty = "", none = {} },
      { text = INVALID, list = { "a", { "b", { c = "d" } }, 3 }, after = "e" }, { { { INVALID } }, { "x" } },
      { text = INVALID, endless = math.huge, long = ("x"):rep(100000) .. INVALID },
    } do
      local bytes = record.encode(event)
      assert.equal("\1", bytes:sub(1, 1))
      assert.same(event, record.decode(bytes))
    end
    local whole = there_and_back { text = INVALID, number = 12, edge = 2 ^ 53 - 1 }
    assert.equal("12", tostring(whole.number))
    if math.type then assert.same({ "integer", "integer" }, { math.type(whole.number), math.type(whole.edge) }) end
  end)

  it("has no functions or other values that can't be stored", function()
    local event = there_and_back { text = INVALID, fn = print }
    assert.same({ text = INVALID, fn = core.null }, event)
  end)

  it("may be nested deeply", function()
    local event = { kind = "message" }
    for _ = 1, 2000 do event = { event } end
    local back = there_and_back(event)
    for _ = 1, 2000 do back = back[1] end
    assert.same({ kind = "message" }, back)
  end)

  it("has error objects after it is read", function()
    for _, text in ipairs { "Hi", INVALID } do
      local event = there_and_back {
        kind = "status", text = text, error = { kind = "api", message = "x" },
        errors = { { kind = "window", message = "y" }, { kind = "api", message = "z" } },
      }
      assert.is_true(errors.is_error(event.error))
      assert.equal("window: y", tostring(event.errors[1]))
      assert.is_true(errors.is_error(event.errors[2]))
      event = there_and_back { kind = "status", text = text, error = "odd", errors = 5 }
      assert.same({ "odd", 5 }, { event.error, event.errors })
    end
  end)

  it("keeps the text of the platform", function()
    local body = webhooks.on_premise { messages = '{"id":"a","from":"49151","type":"text","text":{"body":"Hi"}}' }
    local event = assert(waba.events(body))[1]
    local source = core.encode(event.raw)
    local bytes = record.encode(event, source)
    assert.equal("\3", bytes:sub(1, 1))
    assert.truthy(bytes:find(source, 1, true))
    local back = record.decode(bytes)
    assert.same({ event.id, event.from, event.text, event.kind }, { back.id, back.from, back.text, back.kind })
  end)

  it("of an older version is the number and a whole webhook", function()
    local body = webhooks.on_premise { messages = '{"id":"a","from":"49151","type":"text","text":{"body":"Hi"}}' }
    for number, expected in pairs { ["4930555019"] = "4930555019", [""] = assert(waba.events(body))[1].number or "none" } do
      local event = record.decode("\2" .. number .. "\n" .. body)
      assert.same({ "a", "Hi", expected }, { event.id, event.text, event.number or "none" })
    end
  end)
end)
