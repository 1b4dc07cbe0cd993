-- lua/waba/hosting/sent.lua: the result of an accepted message, read from a summary or from the decoded response.

local core = require "waba.core"
local sent = require "waba.hosting.sent"

local ON_PREMISE = '{"contacts":[{"input":"491511234567","wa_id":"491511234567"}],'
  .. '"messages":[{"id":"gBGHSRURIzRWeAIJm0T7xkQz1pRd"}],"meta":{"api_status":"stable","version":"v2.53.1"}}'
local CLOUD = '{"messaging_product":"whatsapp","contacts":[{"input":"DE.1","user_id":"DE.1"}],'
  .. '"messages":[{"id":"wamid.1","message_status":"accepted","group_id":"g"}]}'

local function by_summary(body, to)
  local summary = sent.summary(body)
  return summary and sent.read(summary, to)
end

describe("the response to a message", function()
  it("has the same result from its summary as decoded", function()
    assert.same({ id = "gBGHSRURIzRWeAIJm0T7xkQz1pRd", wa_id = "491511234567", input = "491511234567" },
      by_summary(ON_PREMISE, "1"))
    assert.same({ id = "wamid.1", input = "DE.1", user_id = "DE.1", status = "accepted", group_id = "g" },
      by_summary(CLOUD, "1"))
    for _, body in ipairs {
      ON_PREMISE, CLOUD, '{"messages":[{"id":"x"}]}', '{"messages":[{"id":"x"}],"contacts":[]}',
      '{"messages":[{"id":"x"}],"contacts":[{"wa_id":"","input":"","user_id":""}]}',
      '{"messages":[{"id":"x","message_status":"","group_id":""}]}',
    } do
      assert.same(sent.read(core.decode(body), "1"), by_summary(body, "1"), body)
    end
  end)

  it("has an id that is a text or a number", function()
    local function id_of(id)
      local result = sent.read({ messages = { { id = id } } }, "1")
      return result and result.id or "nil"
    end
    for id, expected in pairs { [""] = "nil", a = "a", [7] = "7", [true] = "nil", [core.null] = "nil" } do
      assert.equal(expected, id_of(id))
    end
    assert.equal("nil", id_of {})
    for _, json in ipairs { {}, { messages = {} }, { messages = "a" }, { messages = { "a" } }, { messages = { {} } } } do
      assert.is_nil(sent.read(json, "1"))
    end
    for _, json in ipairs { "a", true, 5 } do assert.is_nil(sent.read(json, "1")) end
  end)

  it("has no internal field in the result", function()
    for key in pairs(by_summary(ON_PREMISE, "1")) do assert.equal("string", type(key)) end
  end)

  it("has no summary without an id, with an error, or with unknown members", function()
    for _, body in ipairs {
      "", "{}", "[]", "null", '{"messages":[]}', '{"messages":[{"id":""}]}', '{"messages":[{"id":7}]}',
      '{"messages":[{"id":"x"}],"errors":[{"code":"1"}]}', '{"messages":[{"id":"x"}],"error":{}}',
      '{"messages":[{"id":"x"}],"meta":{"version":2}}', ON_PREMISE .. "x",
    } do
      assert.is_nil(sent.summary(body), body)
    end
  end)
end)
