-- lua/waba/migrate/envelope.lua divides the body of a request into the message, its recipient and the options of the
-- send.

local core = require "waba.core"
local envelope = require "waba.migrate.envelope"

local function part(json) return envelope.part(assert(core.decode(json))) end

describe("the envelope of a body", function()
  it("is divided into the message, its recipient and the options", function()
    local parts = part [[{"messaging_product":"whatsapp","recipient_type":"individual","to":"+49151","type":"text",
      "text":{"body":"Hi"},"context":{"message_id":"wamid.1"},"biz_opaque_callback_data":"job=7",
      "recipient_identity_key_hash":"h"}]]
    assert.same({
      message = { type = "text", text = { body = "Hi" } }, to = "+49151", errors = {}, unknown = {},
      options = { reply_to = "wamid.1", data = "job=7", identity_key_hash = "h" },
    }, parts)
  end)

  it("may have a group, a user, and a text without a type", function()
    assert.same({ group_id = "Y2Fw" }, part('{"recipient_type":"group","to":"Y2Fw","text":{"body":"x"}}').to)
    assert.equal("DE.1", part('{"recipient":"DE.1","type":"text"}').to)
    assert.equal("+49", part('{"recipient":"DE.1","to":"+49"}').to)
    assert.equal("text", part('{"to":"+49","text":{"body":"x"}}').message.type)
    assert.is_nil(part('{"to":null,"type":null}').to)
  end)

  it("has On-Premise's preview_url moved into the text, without a change of the body", function()
    local body = { to = "49", type = "text", text = { body = "x" }, preview_url = true }
    assert.same({ body = "x", preview_url = true }, envelope.part(body).message.text)
    assert.is_nil(body.text.preview_url)
    body.text.preview_url = false
    assert.is_false(envelope.part(body).message.text.preview_url)
  end)

  it("reports fields that can't be moved, and unknown fields", function()
    local parts = part [[{"type":"image","image":{"id":"1"},"preview_url":true,"context":{},
      "biz_opaque_callback_data":7,"recipient_identity_key_hash":false,"colour":"blue","ttl":null}]]
    local paths = {}
    for i, fault in ipairs(parts.errors) do paths[i] = fault.path end
    assert.same({ "biz_opaque_callback_data", "context", "preview_url", "recipient_identity_key_hash" }, paths)
    assert.same({ "colour" }, parts.unknown)
    assert.same({}, parts.options)
  end)
end)
