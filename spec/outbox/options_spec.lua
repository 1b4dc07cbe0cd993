-- A sender makes the same request for a message from an outbox as client:send, with every option.

local core = require "waba.core"
local scripted_transport = require "spec.support.scripted_transport"
local waba = require "waba"

local TO = "4915112345678"
local ANSWER = '{"messaging_product":"whatsapp","contacts":[{"input":"x","wa_id":"x"}],"messages":[{"id":"wamid.1"}]}'

local template = waba.template { name = "t", language = "en", namespace = "n", body = { "x" } }

local ROWS = {
  { "cloud", waba.text "Hi" },
  { "cloud", waba.text { body = "https://a.example", preview_url = true } },
  { "cloud", waba.text "Hi", { reply_to = "wamid.0" } },
  { "cloud", waba.text "Hi", { identity_key_hash = "hash" } },
  { "cloud", waba.text "Hi", { timeout = 7 } },
  { "cloud", waba.text "Hi", { category = "utility" } },
  { "cloud", waba.text "Hi", { category = "utility", ttl_seconds = 60, direct_send_config = { template_name = "parcel" } } },
  { "cloud", template }, { "cloud", template, { marketing = true } },
  { "cloud", template, { marketing = { product_policy = "STRICT" } } },
  { "cloud", waba.text "Hi", nil, { user_id = "DE.1349ABC" } },
  { "on_premise", waba.text "Hi" }, { "on_premise", template },
  { "on_premise", waba.text { body = "https://a.example", preview_url = true }, { timeout = 7 } },
}

-- Returns the request that the transport got, without the parts that may differ.
local function left(transport)
  local request = transport.requests[1]
  local body = core.decode(request.body)
  body.biz_opaque_callback_data = nil -- differs, because it contains the id of the entry
  local timeout = math.ceil(request.timeout) -- the remaining seconds, rounded up
  return { #transport.requests, request.method, request.url, request.headers, timeout, body }
end

local function client_of(hosting, more)
  local options = { hosting = hosting, retry = false }
  for name, value in pairs(more or {}) do options[name] = value end
  return scripted_transport.client({ { body = ANSWER } }, options)
end

-- Options of the sender's client. With `plain` the sender sends the bytes that `outbox:put` has encoded; otherwise it
-- encodes the message again.
local CLIENTS = { plain = {}, ordered = { ordered = true }, named = { namespace = "n" } }

describe("a message from an outbox", function()
  for name, more in pairs(CLIENTS) do
    it("is that of client:send, with a client that is " .. name, function()
      for index, row in ipairs(ROWS) do
        local hosting, message, options, to = row[1], row[2], row[3], row[4] or TO
        local client, transport = client_of(hosting)
        assert(client:send(to, message, options))
        local expected = left(transport)
        local outbox = waba.outbox.memory { hosting = hosting }
        client, transport = client_of(hosting, more)
        assert(outbox:put { to = to, message = message, options = options })
        local result
        local sender = waba.sender { outbox = outbox, client = client, on_result = function(_, sent, err) result = sent or err end }
        assert.equal(1, (sender:work()))
        assert.equal("wamid.1", result.id, index .. tostring(result))
        assert.same(expected, left(transport), index)
      end
    end)
  end

  it("is refused at once where client:send refuses it", function()
    local client, transport = client_of "cloud"
    local outbox = waba.outbox.memory { hosting = "cloud" }
    for _, options in ipairs {
      { category = "marketing" }, { ttl_seconds = 600 }, { category = "utility", ttl_seconds = 29 },
      { category = "utility", direct_send_config = { template_name = "Parcel" } }, { reply_to = "" }, { check_contact = true },
    } do
      local sent, err = client:send(TO, waba.text "Hi", options)
      assert.is_nil(sent)
      local id, refused = outbox:put { to = TO, message = waba.text "Hi", options = options }
      assert.is_nil(id)
      assert.same({ err.kind, err.path, err.message }, { refused.kind, refused.path, refused.message })
    end
    assert.equal(0, #transport.requests)
    assert.equal(0, outbox:depth())
  end)
end)
