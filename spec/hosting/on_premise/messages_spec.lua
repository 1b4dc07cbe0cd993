-- The request body of a message on On-Premise hosting, and the errors of messages that only Cloud hosting supports.

local core = require "waba.core"
local scripted = require "spec.support.scripted_transport"
local waba = require "waba"

local NUMBER = "4915112345678"

-- Returns the request body of a message without the members that all messages have; or nil and the error.
local function sent_body(message, options, send_options, to)
  local client, transport = scripted.client({ { status = 201, body = '{"messages":[{"id":"gBEG"}]}' } }, options)
  local sent, err = client:send(to or NUMBER, message, send_options)
  client:close()
  if not sent then
    assert.equal(0, #transport.requests)
    return nil, err
  end
  local body = core.decode(transport.requests[1].body)
  assert.same({ NUMBER, "individual", message.type }, { body.to, body.recipient_type, body.type })
  body.to, body.recipient_type, body.type = nil, nil, nil
  return body
end

describe("a message on On-Premise hosting", function()
  it("has preview_url beside the text", function()
    for _, preview_url in ipairs { true, false } do
      local body = "https://a.example"
      assert.same({ text = { body = body }, preview_url = preview_url }, sent_body(waba.text { body = body, preview_url = preview_url }))
    end
    local message = waba.text { body = "https://a.example", preview_url = true }
    assert(sent_body(message))
    assert.is_true(message.text.preview_url)
    assert.same({ text = { body = "Hi" } }, sent_body(waba.text "Hi"))
  end)

  it("has the policy of its language, and the namespace of the message or of the client", function()
    local policy = { policy = "deterministic", code = "de" }
    for index, row in ipairs {
      { "de", nil, nil, nil }, { "de", "own", nil, "own" }, { "de", nil, "default", "default" }, { "de", "own", "default", "own" },
      { { code = "de" }, nil, "default", "default" }, { policy, nil, nil, nil }, { policy, nil, "default", "default" },
      { policy, "own", "default", "own" },
    } do
      local message = waba.message("template", { name = "a", language = row[1], namespace = row[2] })
      assert.same({ template = { name = "a", language = policy, namespace = row[4] } },
        sent_body(message, { namespace = row[3], validate = false }), index)
      assert.same({ name = "a", language = row[1], namespace = row[2] }, message.template)
    end
  end)

  it("requires a namespace for an hsm, unless nothing is checked", function()
    local function hsm(namespace) return waba.hsm { element_name = "a", language = "de", params = { "b" }, namespace = namespace } end
    local own, default = "9c1f0b52_4d7e_4a11_8f3d_2b6a7c5d1e90", "9c1f0b52_4d7e_4a11_8f3d_2b6a7c5d1e91"
    for index, row in ipairs { { own, nil, own }, { nil, default, default }, { own, default, own } } do
      local body = assert(sent_body(hsm(row[1]), { namespace = row[2] }))
      assert.same({ row[3], { policy = "deterministic", code = "de" } }, { body.hsm.namespace, body.hsm.language }, index)
    end
    local body, err = sent_body(hsm(nil))
    assert.same({ nil, "invalid", "hsm.namespace" }, { body, err.kind, err.path })
    assert.is_nil(sent_body(hsm(nil), { validate = false }).hsm.namespace)
  end)

  it("is written unchanged if its type is unknown or its content is no object", function()
    local OPEN = { validate = false }
    assert.same({ poll = { a = 1 } }, sent_body(waba.message("poll", { a = 1 }), OPEN))
    assert.same({ text = "Hi" }, sent_body({ type = "text", text = "Hi" }, OPEN))
    assert.same({ template = 5 }, sent_body({ type = "template", template = 5 }, OPEN))
    assert.same({ template = { language = 5 } }, sent_body({ type = "template", template = { language = 5 } }, OPEN))
    assert.same({}, sent_body({ text = "Hi" }, OPEN))
  end)

  it("is refused with an option or a recipient of Cloud hosting", function()
    for name, value in pairs {
      reply_to = "wamid.1", data = "d", identity_key_hash = "h", marketing = true,
    } do
      local body, err = sent_body(waba.text "Hi", nil, { [name] = value })
      assert.same({ nil, "invalid", name }, { body, err.kind, err.path })
    end
    for name, value in pairs { category = "utility", ttl_seconds = 60, direct_send_config = { template_name = "a" } } do
      local body, err = sent_body(waba.text "Hi", { validate = false }, { [name] = value })
      assert.same({ nil, "invalid", name }, { body, err.kind, err.path })
    end
    for _, to in ipairs { "DE.1349", { user_id = "DE.1349" }, { group_id = "abc" } } do
      local body, err = sent_body(waba.text "Hi", nil, nil, to)
      assert.same({ nil, "invalid", "to" }, { body, err.kind, err.path })
    end
    assert.same({ text = { body = "Hi" } }, sent_body(waba.text "Hi", nil, { timeout = 5, bulk = true }))
  end)
end)
