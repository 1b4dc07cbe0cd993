-- When the sender of an outbox sends the bytes that `outbox:put` has encoded, and when it encodes the message again.

local core = require "waba.core"
local encoded = require "waba.client.encoded"
local scripted = require "spec.support.scripted_transport"
local waba = require "waba"

local NUMBER, OTHER = "4915112345678", "4915112345679"

describe("an encoded message", function()
  local client

  after_each(function() client:close() end)

  local function new_client(options)
    local accepted = {}
    for index = 1, 9 do accepted[index] = { status = 201, body = '{"messages":[{"id":"gBEG"}]}' } end
    client = scripted.client(accepted, options)
    return client
  end

  local function leaves_at_once(to, is_bulk) return encoded.leaves_at_once(client, to, is_bulk, core.clock()) end

  it("has the same effect as client:send for a client of its hosting without an order, a namespace, or another send", function()
    for index, row in ipairs {
      { {}, true, false }, { { hosting = "cloud" }, false, true }, { { ordered = true }, false, false },
      { { hosting = "cloud", ordered = true }, false, false }, { { namespace = "n" }, false, false },
      { { hosting = "cloud", namespace = "n" }, false, true },
    } do
      new_client(row[1])
      assert.same({ row[2], row[3] }, { encoded.can_send(client, "on_premise"), encoded.can_send(client, "cloud") }, index)
      client.send = print
      assert.same({ false, false }, { encoded.can_send(client, "on_premise"), encoded.can_send(client, "cloud") }, index)
      client:close()
    end
    for _, other in ipairs { {}, setmetatable({}, {}), setmetatable({}, { __name = "other" }), setmetatable({}, { __metatable = 5 }) } do
      assert.is_false(encoded.can_send(other, "on_premise"))
    end
  end)

  it("leaves at once if no rate limit delays it", function()
    local rate, shared = { rate = 0.01, burst = 2 }, { limiters = function() return { bucket = error, pair = error } end }
    for index, row in ipairs {
      -- Columns: the option `pace`; after two messages to one recipient: whether a third message to this recipient can
      -- be sent at once, and whether a message to another recipient can be sent at once.
      { false, true, true }, { { messages = false, pair = false }, true, true }, { { messages = rate, pair = false }, false, false },
      { { messages = false, pair = rate }, false, true }, { { messages = { rate = 0.01, burst = 3 }, pair = rate }, false, true },
      { { messages = rate, pair = { rate = 0.01, burst = 3 } }, false, false },
    } do
      new_client { pace = row[1] }
      assert.is_true(leaves_at_once(NUMBER))
      for _ = 1, 2 do assert(client:send(NUMBER, waba.text "Hi")) end
      for _, is_bulk in ipairs { false, true } do
        assert.same({ row[2], row[3] }, {
          leaves_at_once(NUMBER, is_bulk), leaves_at_once(OTHER, is_bulk),
        }, index)
      end
      client:close()
    end
    new_client { pace = { messages = rate, store = shared } }
    assert.is_false(leaves_at_once(NUMBER))
  end)

  it("waits behind the messages that wait, and a bulk message behind all others", function()
    new_client { pace = { messages = { rate = 10, burst = 2 }, pair = false } }
    local queue = client.delivery.pace:queue "messages"
    for index, row in ipairs { { 1, 0, false, false }, { 0, 1, true, false }, { 0, 0, true, true } } do
      queue.replies, queue.bulk = { count = row[1], first = 1, last = 0 }, { count = row[2], first = 1, last = 0 }
      assert.same({ row[3], row[4] }, {
        leaves_at_once(NUMBER, false), leaves_at_once(NUMBER, true),
      }, index)
    end
  end)
end)
