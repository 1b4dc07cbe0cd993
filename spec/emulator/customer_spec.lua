-- The actions of emulated customers, and the webhooks that the emulator sends for them.

local cjson = require "cjson"

local support = require "spec.support.emulator"

describe("a customer", function()
  local emulator

  lazy_setup(function() emulator = assert(support.start({ statuses = false })) end)
  lazy_teardown(function() emulator:stop() end)

  -- Performs an action of a customer. Returns the message in the webhook, and the body of the webhook.
  local function arrival(act)
    local message, body, id
    support.run(function()
      local receiver = support.receiver()
      support.register(emulator, receiver)
      local before = emulator:counts().delivered
      id = assert(act(emulator:customer("+49 151 12345678", { name = "Eva" })))
      assert(emulator:wait({ delivered = before + 1 }))
      body = receiver.requests[1].json
      message = body.messages and body.messages[1]
    end)
    return message, body, id
  end

  it("writes a text", function()
    local message, body, id = arrival(function(eva) return eva:text "Hällo" end)
    assert.same({ { profile = { name = "Eva" }, wa_id = "4915112345678" } }, body.contacts)
    assert.equal(id, message.id)
    assert.matches("^ABEG[%w_-]+$", id)
    assert.equal("4915112345678", message.from)
    assert.equal("text", message.type)
    assert.same({ body = "Hällo" }, message.text)
    assert.matches("^%d+$", message.timestamp)
    assert.is_nil(message.context)
  end)

  it("quotes, forwards, writes after an advertisement", function()
    local _, sent = support.send(emulator, "text", { body = "x" })
    local sent_id = sent.messages[1].id
    local message = arrival(function(eva) return eva:text("ja", { reply_to = sent_id }) end)
    assert.same({ id = sent_id, from = emulator.number }, message.context)
    message = arrival(function(eva) return eva:text("ja", { reply_to = message.id }) end)
    assert.equal("4915112345678", message.context.from)
    message = arrival(function(eva) return eva:text("x", { frequently_forwarded = true }) end)
    assert.same({ forwarded = true, frequently_forwarded = true }, message.context)
    message = arrival(function(eva)
      return eva:text("x", { referral = { source_url = "https://fb.me/x" },
        referred_product = { catalog_id = "4", product_retailer_id = "S" }, timestamp = 1712044800, id = "ABown" })
    end)
    assert.same({ source_url = "https://fb.me/x" }, message.referral)
    assert.equal("S", message.context.referred_product.product_retailer_id)
    assert.equal("1712044800", message.timestamp)
    assert.equal("ABown", message.id)
  end)

  it("sends media whose bytes can be downloaded", function()
    local bytes = "\255\216\255" .. ("x"):rep(1000) .. "\0\r\n"
    local message = arrival(function(eva) return eva:image { data = bytes, caption = "Brille" } end)
    assert.equal("image", message.type)
    assert.equal("image/jpeg", message.image.mime_type)
    assert.equal("Brille", message.image.caption)
    local expected = require("openssl.digest").new("sha256"):final(bytes):gsub(".", function(byte)
      return ("%02x"):format(byte:byte())
    end)
    assert.equal(expected, message.image.sha256)
    local status, body, headers = support.request(emulator, "GET", "/v1/media/" .. message.image.id)
    assert.equal(200, status)
    assert.equal(bytes, body)
    assert.equal("image/jpeg", headers:get("content-type"))
    assert.equal("attachment; filename=" .. message.image.id, headers:get("content-disposition"))
  end)

  it("sends media of every kind, from files too", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write(("bytes"):rep(100))
    file:close()
    finally(function() os.remove(path) end)
    local usual = { audio = "audio/mpeg", voice = "audio/ogg; codecs=opus", video = "video/mp4",
      document = "application/pdf", sticker = "image/webp" }
    for kind, mime_type in pairs(usual) do
      local message = arrival(function(eva)
        return eva[kind](eva, { file = path, filename = kind == "document" and "rezept.pdf" or nil })
      end)
      assert.equal(kind, message.type)
      assert.equal(mime_type, message[kind].mime_type)
      assert.equal(500, #select(2, support.request(emulator, "GET", "/v1/media/" .. message[kind].id)))
    end
  end)

  it("sends a file without bytes", function()
    local message = arrival(function(eva) return eva:document { data = "" } end)
    local status, body = support.request(emulator, "GET", "/v1/media/" .. message.document.id)
    assert.equal(200, status)
    assert.equal("", body)
  end)

  it("sends a document that was not downloaded", function()
    local message = arrival(function(eva) return eva:document { undownloaded = true, filename = "gross.pdf" } end)
    assert.is_nil(message.document.id)
    assert.equal("undownloaded", message.document.status)
    assert.equal("gross.pdf", message.document.filename)
    assert.equal(64, #message.document.sha256)
  end)

  it("sends a location and contacts", function()
    local message = arrival(function(eva) return eva:location { latitude = 0, longitude = 13.5, name = "Platz" } end)
    assert.same({ latitude = 0, longitude = 13.5, name = "Platz" }, message.location)
    local _, body = arrival(function(eva) return eva:contacts { { name = { formatted_name = "Max" } } } end)
    assert.equal("Max", body.messages[1].contacts[1].name.formatted_name)
    assert.same({}, body.messages[1].contacts[1].phones)
    assert.matches('"phones":%[%]', emulator:webhooks(function(attempt)
      return attempt.json.messages and attempt.json.messages[1].id == body.messages[1].id
    end)[1].body)
  end)

  it("taps buttons and rows of received messages", function()
    local _, sent = support.send(emulator, "interactive", { type = "button", body = { text = "Gut?" },
      action = { buttons = { { type = "reply", reply = { id = "ja", title = "Ja" } } } } })
    local id = sent.messages[1].id
    local message = arrival(function(eva) return eva:tap(id, "Ja") end)
    assert.equal("interactive", message.type)
    assert.same({ type = "button_reply", button_reply = { id = "ja", title = "Ja" } }, message.interactive)
    assert.equal(id, message.context.id)
    _, sent = support.send(emulator, "interactive", { type = "list", body = { text = "Wann?" }, action = { button = "x",
      sections = { { rows = { { id = "mo", title = "Montag", description = "Sehtest" } } } } } })
    message = arrival(function(eva) return eva:tap(sent.messages[1].id, "mo") end)
    assert.same({ type = "list_reply", list_reply = { id = "mo", title = "Montag", description = "Sehtest" } },
      message.interactive)
    _, sent = support.send(emulator, "template", { name = "order_ready", language = { policy = "deterministic", code = "de" },
      components = { { type = "body", parameters = { { type = "text", text = "Eva" }, { type = "text", text = "118" } } },
        { type = "button", sub_type = "quick_reply", index = "0", parameters = { { type = "payload", payload = "PICKUP" } } },
        { type = "button", sub_type = "url", index = "1", parameters = { { type = "text", text = "118" } } } } })
    message = arrival(function(eva) return eva:tap(sent.messages[1].id, "Ich komme") end)
    assert.same({ text = "Ich komme", payload = "PICKUP" }, message.button)
    local tapped, err = emulator:customer("4915112345678"):tap(id, "Nein")
    assert.is_nil(tapped)
    assert.matches("has no button or row with the id, title, text or payload", err.message)
  end)

  it("replies with buttons, lists and forms that the bot did not send", function()
    local message = arrival(function(eva) return eva:button("Ich komme", "P") end)
    assert.same({ text = "Ich komme", payload = "P" }, message.button)
    message = arrival(function(eva) return eva:button("Ich komme") end)
    assert.equal(cjson.null, message.button.payload)
    message = arrival(function(eva) return eva:reply { kind = "button", id = "a", title = "A" } end)
    assert.same({ type = "button_reply", button_reply = { id = "a", title = "A" } }, message.interactive)
    message = arrival(function(eva)
      return eva:reply { kind = "flow", name = "address_message", body = "Ring 5", data = { city = "Berlin" } }
    end)
    assert.equal("nfm_reply", message.interactive.type)
    assert.same({ city = "Berlin" }, cjson.decode(message.interactive.nfm_reply.response_json))
  end)

  it("orders", function()
    local order = { catalog_id = "4488", text = "bitte", product_items = {
      { product_retailer_id = "S", quantity = 1, item_price = 129.9, currency = "EUR" } } }
    local message = arrival(function(eva) return eva:order(order) end)
    assert.same(order, message.order)
  end)

  it("changes the number, and the phone", function()
    local message, body = arrival(function(eva) return eva:change_number("4917099887766") end)
    assert.equal("system", message.type)
    assert.equal("user_changed_number", message.system.type)
    assert.equal("4917099887766", message.system.new_wa_id)
    assert.is_nil(body.contacts)
    message = arrival(function(eva) return eva:change_identity() end)
    assert.equal("user_identity_changed", message.system.type)
    local status, refused = support.send(emulator, "text", { body = "x" })
    assert.equal(412, status)
    assert.equal(1028, refused.errors[1].code)
    status = support.request(emulator, "PUT", "/v1/contacts/4915112345678/identity", { hash = message.system.identity })
    assert.equal(200, status)
    assert.equal(201, (support.send(emulator, "text", { body = "x" })))
  end)

  it("sends messages that the client can't show", function()
    for _, kind in ipairs({ "unknown", "reaction" }) do
      local message = arrival(function(eva) return eva[kind](eva, kind == "reaction" and "gBEG" or nil, "👍") end)
      assert.equal("unknown", message.type)
      assert.equal(501, message.errors[1].code)
      assert.is_nil(message.reaction)
    end
    assert.equal("ephemeral", arrival(function(eva) return eva:ephemeral() end).type)
  end)

  it("sends any content unchanged", function()
    local message = arrival(function(eva)
      return eva:message("reaction", { emoji = "👍" }, { fields = { group_id = "g" }, errors = { { code = 400 } } })
    end)
    assert.equal("reaction", message.type)
    assert.same({ emoji = "👍" }, message.reaction)
    assert.equal("g", message.group_id)
    assert.equal(400, message.errors[1].code)
    local _, body = arrival(function(eva) return eva:text("x", { profile = false }) end)
    assert.is_nil(body.contacts)
  end)

  it("deletes a sent message", function()
    local message, body = arrival(function(eva) return eva:delete("ABEGoops") end)
    assert.is_nil(message)
    assert.equal("deleted", body.statuses[1].status)
    assert.equal("ABEGoops", body.statuses[1].id)
    assert.equal("4915112345678", body.statuses[1].message.recipient_id)
  end)

  it("has its messages marked as read", function()
    local id = emulator:customer("4915112345678"):text "Hi"
    assert.is_nil(emulator:message(id).read)
    assert.equal(200, (support.request(emulator, "PUT", "/v1/messages/" .. id, { status = "read" })))
    assert.is_true(emulator:message(id).read)
    local refused = {
      { "/v1/messages/ABunknown", { status = "read" }, 404, 1006 },
      { "/v1/messages/" .. id, { status = "delivered" }, 400, 1009 },
      { "/v1/messages/" .. id, {}, 400, 1008 },
    }
    for _, case in ipairs(refused) do
      local status, body = support.request(emulator, "PUT", case[1], case[2])
      assert.equal(case[3], status)
      assert.equal(case[4], body.errors[1].code)
    end
    emulator:advance(7 * 86400 + 1)
    assert.equal(404, (support.request(emulator, "PUT", "/v1/messages/" .. id, { status = "read" })))
  end)

  it("raises an error without a content", function()
    local eva = emulator:customer("4915112345678")
    assert.has_error(function() eva:text({}) end, "customer:text: the text must be a string, not a table")
    for message, use in pairs {
      ["customer:text: unknown option replyto (did you mean reply_to?)"] = function()
        local _ = eva:text("Hi", { replyto = "a" })
      end,
      ["customer:text: options must be a table, not a string"] = function() local _ = eva:text("Hi", "a") end,
      ["customer:image: unknown option captoin (did you mean caption?)"] = function()
        local _ = eva:image { data = "x", captoin = "y" }
      end,
      ["customer:location: unknown option lattitude (did you mean latitude?)"] = function()
        local _ = eva:location { lattitude = 1, longitude = 2 }
      end,
      ["customer:contacts: the content must be a table, not a string"] = function() local _ = eva:contacts "Eva" end,
      ["customer:reply: the content must be a table, not a string"] = function() local _ = eva:reply "yes" end,
      ["customer:message: unknown option tiemstamp (did you mean timestamp?)"] = function()
        local _ = eva:message("text", { body = "Hi" }, { tiemstamp = 1 })
      end,
    } do
      assert.has_error(use, message)
    end
    assert.has_error(function() eva:image({}) end, "customer:image: data, file or undownloaded is required")
    local id, err = eva:image({ file = "/nowhere/to/be/found" })
    assert.is_nil(id)
    assert.is_string(err.message)
  end)
end)
