-- Messages that the check accepts and refuses for Cloud hosting, with the error texts. spec/schema_spec.lua tests each
-- rule at its limit.

local filler = require "spec.support.filler"
local messages = require "spec.support.messages"
local schema = require "waba.schema"
local schema_assertions = require "spec.support.schema_assertions"
local waba = require "waba.message"

local refusal, passes = schema_assertions.on "cloud"
local text, ascii, many = filler.text, filler.ascii, filler.list

local function template(content)
  content.name, content.language = content.name or "x", content.language or "de"
  return waba.template(content)
end

local function cards(count, make)
  local list = {}
  for i = 1, count do
    local card = make and make(i) or {}
    card.header = card.header or { image = { link = "https://cdn.example/" .. i } }
    if not card.buttons then
      card.display_text, card.url = card.display_text or "Book", card.url or "https://b.example/" .. i
    end
    list[i] = card
  end
  return list
end

local function order(changes)
  local content = {
    body = "Your cart", reference_id = "ord-118", type = "digital-goods", currency = "BRL",
    payment_settings = { { payment_link = { uri = "https://pay.example/118" } } },
    items = { { name = "Boot", amount = { value = 5000 }, quantity = 1 } },
    subtotal = { value = 5000 }, tax = { value = 0 }, total_amount = { value = 5000 },
  }
  for name, value in pairs(changes) do content[name] = value end
  return waba.order_details(content)
end

describe("the check of a message for Cloud hosting", function()
  it("has an error text for every rule", function()
    local eva = { formatted_name = "Eva Kern", first_name = "Eva" }
    local sentences = {
      ["hsm messages exist on On-Premise hosting only; use a template"] =
        waba.hsm { element_name = "x", language = "de" },
      ["image.provider exists on On-Premise hosting only: on Cloud hosting a link must be public"] =
        waba.image { link = "https://a.example/1", provider = { name = "x" } },
      ["contacts[1].ims exists on On-Premise hosting only"] =
        waba.contacts { { name = eva, ims = { { service = "IRC", user_id = "eva" } } } },
      ["audio.voice must be a boolean, not a string"] = waba.audio { id = "1", voice = "yes" },
      ["location.latitude must be a number, or a string that represents one"] =
        waba.location { latitude = "north", longitude = 0 },
      ["reaction.emoji must be one emoji, or empty to take the reaction back"] =
        waba.reaction { message_id = "wamid.1", emoji = ":+1:" },
      ["pin.expiration_days is not allowed: only a pin expires"] =
        waba.unpin { message_id = "wamid.1", expiration_days = 5 },
      ["pin.expiration_days is 31; allowed is 1 to 30"] = waba.pin { message_id = "wamid.1", expiration_days = 31 },
      ["context is not part of the message: pass it to client:send as option reply_to"] =
        { type = "text", text = { body = "x" }, context = { message_id = "wamid.1" } },
      ["biz_opaque_callback_data is not part of the message: pass it to client:send as option data"] =
        { type = "text", text = { body = "x" }, biz_opaque_callback_data = "x" },
      ["interactive.header.image.caption is not allowed: the message of this file has a body of its own"] =
        waba.buttons { header = waba.image { id = "1", caption = "x" }, body = "x", buttons = { { id = "1", title = "x" } } },
      ["interactive.action.buttons[1].reply.id must not begin or end with a space"] =
        waba.buttons { body = "x", buttons = { { id = "1 ", title = "x" } } },
      ["interactive.action.parameters.url must be a URL that starts with http:// or https://"] =
        waba.cta_url { body = "x", display_text = "Track", url = "track/118" },
      ["interactive.action.parameters.display_text has 21 characters; at most 20 are allowed"] =
        waba.cta_url { body = "x", display_text = ("x"):rep(21), url = "https://a.example" },
      ["interactive.footer is not allowed: this type of message has no footer"] =
        waba.location_request { body = "Where?", footer = "x" },
      ["interactive.action.parameters needs flow_id or flow_name"] = waba.flow { body = "x", flow_cta = "Book" },
      ["interactive.action.parameters.flow_cta must not have emoji"] =
        waba.flow { body = "x", flow_id = "1", flow_cta = "Book \240\159\145\141" },
      ['interactive.action.parameters.flow_action_payload is missing; it is required if flow_action is "navigate"'] =
        waba.flow { body = "x", flow_id = "1", flow_cta = "Book", flow_action = "navigate" },
      ["interactive.action.parameters.flow_action_payload.screen is missing"] =
        waba.flow { body = "x", flow_id = "1", flow_cta = "Book", data = { branch = "Berlin" } },
      ["interactive.action.cards has 1 element; at least 2 elements are needed"] =
        waba.carousel { body = "x", cards = cards(1) },
      ["interactive.action.cards[2].body is missing; either all elements have body, or none"] =
        waba.carousel { body = "x", cards = cards(2, function(i) return { body = i == 1 and "x" or nil } end) },
      ["interactive.action.cards[2].header.type differs from that of the first element; it must be the same in all elements"] =
        waba.carousel { body = "x", cards = cards(2, function(i)
          return { header = { [i == 1 and "image" or "video"] = { link = "https://cdn.example/1" } } }
        end) },
      ["interactive.action.cards[2].action.buttons differs from that of the first element; it must be the same in all elements"] =
        waba.carousel { body = "x", cards = cards(2, function(i)
          return { buttons = { { id = "a", title = "x" }, i == 2 and { id = "b", title = "y" } or nil } }
        end) },
      ["interactive.action.parameters.total_amount.value is 4000; it must be order.subtotal.value + order.tax.value"
        .. " + order.shipping.value - order.discount.value, which is 5000"] = order { total_amount = { value = 4000 } },
      ["interactive.action.parameters.total_amount.value is 49.5; it must be an integer"] =
        order { total_amount = { value = 49.5 } },
      ["interactive.action.parameters.total_amount.amount_1000 must be a multiple of 10: "
        .. "the platform counts in hundredths"] = order { total_amount = { amount_1000 = 49999 } },
      ["interactive.action.parameters.total_amount must be an object, not a number"] = order { total_amount = 50 },
      ["interactive.action.parameters.order.items[1].quantity is 0; it must be at least 1"] =
        order { items = { { name = "Boot", amount = { value = 5000 }, quantity = 0 } } },
      ["template.components[1].parameters[2].parameter_name is missing; either all elements have parameter_name, or none"] =
        template { body = { { text = "Eva", parameter_name = "first_name" }, "118" } },
      ["template.components[1].parameters[1].location.address is missing"] =
        template { header = waba.location { latitude = 0, longitude = 0, name = "Shop" } },
      ["template.components[1].parameters[1].coupon_code may have letters and digits only"] =
        template { buttons = { { copy_code = "SAVE-20" } } },
      ["template.components[1].parameters[1].limited_time_offer.expiration_time_ms is 1790000000; "
        .. "allowed is 946684800000 to 32503680000000"] = template { limited_time_offer = 1790000000 },
      ["template.components[1].parameters[1].action.flow_action_data is empty; at least 1 field is needed"] = template {
        components = { { type = "button", sub_type = "flow", index = 0, parameters = {
          { type = "action", action = { flow_action_data = {} } },
        } } },
      },
      ["template.cards belongs to the short form of waba.template: pass either this field or components"] =
        template { cards = {}, components = { { type = "body" } } },
      ['type is "carousell", which is no message type'] = waba.message("carousell", {}),
    }
    for sentence, message in pairs(sentences) do
      assert.are.equal(sentence, refusal(message).message)
    end
  end)

  it("has the limits of the platform's reference", function()
    local row = { { rows = { { id = "1", title = "1" } } } }
    local limits = {
      { 4096, function(n) return waba.text(text(n)) end },
      { 1024, function(n) return waba.image { id = "1", caption = text(n) } end },
      { 1024, function(n) return waba.video { id = "1", caption = text(n) } end },
      { 1024, function(n) return waba.document { id = "1", caption = text(n) } end },
      { 257, function(n)
        return waba.contacts(many(n, function() return { name = { formatted_name = "x", first_name = "x" } } end))
      end },
      { 1024, function(n) return waba.buttons { body = text(n), buttons = { { id = "1", title = "x" } } } end },
      { 60, function(n) return waba.buttons { header = text(n), body = "x", buttons = { { id = "1", title = "x" } } } end },
      { 60, function(n) return waba.buttons { footer = text(n), body = "x", buttons = { { id = "1", title = "x" } } } end },
      { 3, function(n)
        return waba.buttons { body = "x", buttons = many(n, function(i) return { id = i, title = "x" .. i } end) }
      end },
      { 256, function(n) return waba.buttons { body = "x", buttons = { { id = text(n), title = "x" } } } end },
      { 20, function(n) return waba.buttons { body = "x", buttons = { { id = "1", title = text(n) } } } end },
      { 4096, function(n) return waba.list { body = text(n), button = "x", sections = row } end },
      { 20, function(n) return waba.list { body = "x", button = text(n), sections = row } end },
      { 10, function(n)
        return waba.list { body = "x", button = "x", sections = many(n, function(i)
          return { title = "x", rows = { { id = i, title = "x" } } }
        end) }
      end },
      { 10, function(n)
        return waba.list { body = "x", button = "x", sections = {
          { rows = many(n, function(i) return { id = i, title = "x" } end) },
        } }
      end },
      { 200, function(n) return waba.list { body = "x", button = "x", sections = { { rows = { { id = text(n), title = "x" } } } } } end },
      { 24, function(n) return waba.list { body = "x", button = "x", sections = { { rows = { { id = "1", title = text(n) } } } } } end },
      { 72, function(n)
        return waba.list { body = "x", button = "x", sections = { { rows = { { id = "1", title = "x", description = text(n) } } } } }
      end },
      { 24, function(n) return waba.list { body = "x", button = "x", sections = { { title = text(n), rows = row[1].rows } } } end },
      { 20, function(n) return waba.cta_url { body = "x", display_text = text(n), url = "https://a.example" } end },
      { 30, function(n) return waba.flow { body = "x", flow_id = "1", flow_cta = text(n) } end },
      { 10, function(n)
        return waba.product_list { catalog_id = 1, header = "x", body = "x", sections = many(n, function(i)
          return { title = "x", products = { i } }
        end) }
      end },
      { 30, function(n)
        return waba.product_list { catalog_id = 1, header = "x", body = "x", sections = {
          { products = many(n, function(i) return i end) },
        } }
      end },
      { 10, function(n) return waba.carousel { body = "x", cards = cards(n) } end },
      { 160, function(n) return waba.carousel { body = "x", cards = cards(2, function() return { body = text(n) } end) } end },
      { 20, function(n) return waba.carousel { body = "x", cards = cards(2, function() return { display_text = text(n) } end) } end },
      { 20, function(n)
        return waba.carousel { body = "x", cards = cards(2, function() return { buttons = { { id = 1, title = text(n) } } } end) }
      end },
      { 10, function(n) return waba.product_carousel { body = "x", catalog_id = 1, products = many(n, tostring) } end },
      { 6, function(n) return waba.address { body = "x", values = { in_pin_code = ascii(n) } } end },
      { 20, function(n) return waba.voice_call { body = "x", display_text = text(n) } end },
      { 43200, function(n) return waba.voice_call { body = "x", ttl_minutes = n } end },
      { 512, function(n) return waba.voice_call { body = "x", payload = text(n) } end },
      { 35, function(n) return order { reference_id = ascii(n) } end },
      { 30, function(n) return waba.pin { message_id = "wamid.1", expiration_days = n } end },
      { 512, function(n) return template { name = ascii(n) } end },
      { 60, function(n) return template { header = text(n) } end },
      { 32768, function(n) return template { body = { text(n) } } end },
      { 1024, function(n) return template { header = "x", body = { text(n) } } end },
      { 256, function(n) return template { buttons = { { payload = text(n) } } } end },
      { 15, function(n) return template { buttons = { { copy_code = ascii(n) } } } end },
      { 9, function(n) return template { buttons = { { url = "x", index = n } } } end },
      { 43200, function(n) return template { buttons = { { voice_call = { ttl_minutes = n } } } } end },
      { 10, function(n)
        return template { buttons = { { mpm = { sections = many(n, function(i) return { title = "x", products = { i } } end) } } } }
      end },
      { 30, function(n)
        return template { buttons = { { mpm = { sections = { { products = many(n, function(i) return i end) } } } } } }
      end },
      { 10, function(n)
        return template { cards = many(n, function() return { header = waba.image { id = 1 } } end) }
      end },
      { 160, function(n)
        return template { cards = many(2, function() return { header = waba.image { id = 1 }, body = { text(n) } } end) }
      end },
    }
    for i, limit in ipairs(limits) do
      local ok, err = schema.check(limit[2](limit[1]), "cloud", true)
      assert.is_true(ok, ("limit %d: %s"):format(i, tostring(err)))
      assert.is_nil(schema.check(limit[2](limit[1] + 1), "cloud", true), ("limit %d"):format(i))
    end
  end)

  it("accepts fields that only On-Premise hosting needs, so that one program is valid on both", function()
    local message = waba.template {
      name = "order_ready", namespace = "9c1f0b52_4d7e_4a11_8f3d_2b6a7c5d1e90",
      language = { code = "de", policy = "deterministic" }, body = { "Eva" },
    }
    passes(message)
    passes(message, true, "on_premise")
  end)

  it("and the check for On-Premise hosting name the hosting that has a missing feature", function()
    local cloud_only = 0
    for _, example in ipairs(messages.examples "cloud") do
      local ok, err = schema.check(example.message, "on_premise", true)
      if not ok and err.message:find("Cloud hosting only", 1, true) then cloud_only = cloud_only + 1 end
    end
    assert.is_true(cloud_only >= 14)
    for _, message in ipairs {
      waba.reaction { message_id = "wamid.1", emoji = "" }, waba.pin "wamid.1", waba.voice { id = "1" },
      waba.cta_url { body = "x" }, waba.flow { body = "x" }, waba.catalog { body = "x" }, waba.location_request "x",
      waba.request_contact_info "x", waba.voice_call "x", waba.call_permission "x", waba.carousel { body = "x" },
      waba.product_carousel { body = "x" }, template { body = { first_name = "Eva" } },
      template { header = waba.location { latitude = 0, longitude = 0 } },
      template { header = { product = { product_retailer_id = "1" } } }, template { header = { gif = { id = "1" } } },
      template { buttons = { { copy_code = "x" } } }, template { buttons = { { flow = true } } },
      template { buttons = { { catalog = "x" } } }, template { buttons = { { mpm = {} } } },
      template { buttons = { { voice_call = { ttl_minutes = 1 } } } }, template { buttons = { { order_details = {} } } },
      template { cards = { {} } }, template { limited_time_offer = 5 },
      template { tap_target_configuration = { url = "https://a.example" } },
    } do
      assert.is_truthy(refusal(message, true, "on_premise").message:find("exist[s]? on Cloud hosting only"))
    end
  end)

  it("accepts in the mode documented what only an inferred rule refuses", function()
    for _, message in ipairs {
      order { reference_id = "ord 118" }, waba.location { latitude = 91, longitude = 0 },
      waba.address { body = "x", country = "SG", values = { sg_post_code = "018956" } },
      waba.document { id = "1", filename = ("x"):rep(241) }, template { limited_time_offer = 5 },
      waba.order_details { body = "x", reference_id = "ord-118", beneficiaries = {} },
    } do
      refusal(message)
    end
    passes(order { reference_id = "ord 118" }, "documented")
    passes(waba.address { body = "x", country = "SG", values = { sg_post_code = "018956" } }, "documented")
    passes(template { limited_time_offer = 5 }, "documented")
    refusal(waba.text "", "documented")
  end)

  it("raises no error for any value", function()
    local strange = { 0, 0 / 0, true, false, "", "\255", {}, { {} }, { type = {} }, print }
    for _, value in ipairs(strange) do
      for _, kind in ipairs { "text", "image", "contacts", "template", "interactive", "hsm", "location", "reaction", "pin" } do
        refusal({ type = kind, [kind] = value })
        refusal({ type = kind, [kind] = { value } })
        refusal({ type = kind, [kind] = { type = value, [1.5] = value, components = value, action = value } })
      end
      for _, kind in ipairs { "carousel", "order_details", "flow", "order_status", "address_message" } do
        refusal(waba.message("interactive", { type = kind, body = { text = "x" }, action = {
          name = value, cards = value, parameters = value,
        } }))
        refusal(waba.message("interactive", { type = kind, body = { text = "x" }, action = { cards = { value, value } } }))
      end
    end
  end)
end)
