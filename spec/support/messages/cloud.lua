-- Random valid messages of the types that only Cloud hosting has, and one example of each type.

local random = require "spec.support.random"
local common_examples = require "spec.support.messages.examples"
local parts = require "spec.support.messages.parts"
local waba = require "waba.message"

local pick, maybe, several, distinct = random.pick, random.maybe, random.several, random.distinct
local lively, identifier, link = random.lively, random.identifier, random.link
local media_content, header, place = parts.media_content, parts.header, parts.place
local sections, named = parts.sections, parts.named

local builders = {}

local function message_id(rng) return "wamid." .. identifier(rng, 60) end

local function exactly(rng, least, most, build)
  local list = {}
  for i = 1, rng(least, most) do list[i] = build(rng, i) end
  return list
end

-- Returns the content of an interactive message with a body, and at random with a header and a footer.
local function framed(rng, content, with_header)
  content.body = lively(rng, 1024)
  content.footer = maybe(rng, lively, 60)
  if with_header then content.header = maybe(rng, header, "cloud") end
  return content
end

local function image_or_video(rng, kind)
  return { [kind] = media_content(rng, kind, "cloud", true) }
end

function builders.reaction(rng)
  return waba.reaction {
    message_id = message_id(rng),
    emoji = pick(rng, { "", "\240\159\145\141", "\226\157\164\239\184\143", "\240\159\135\169\240\159\135\170" }),
  }
end

function builders.voice(rng) return waba.voice(media_content(rng, "audio", "cloud")) end

function builders.pin(rng)
  return waba.pin { message_id = message_id(rng), expiration_days = rng(1, 30) }
end

function builders.unpin(rng) return waba.unpin(message_id(rng)) end

-- Interactive messages

function builders.cta_url(rng)
  return waba.cta_url(framed(rng, { display_text = lively(rng, 20), url = link(rng) }, true))
end

function builders.flow(rng)
  local content = framed(rng, { flow_cta = random.plain(rng, 30), flow_token = maybe(rng, identifier, 40) }, true)
  content[pick(rng, { "flow_id", "flow_name" })] = identifier(rng, 20)
  content.mode = maybe(rng, pick, { "published", "draft" })
  if rng(1, 2) == 1 then
    content.flow_action, content.screen = "navigate", "DATES"
    content.data = maybe(rng, function() return { branch = "Berlin", seats = rng(1, 9) } end)
  else
    content.flow_action = maybe(rng, function() return "data_exchange" end)
  end
  return waba.flow(content)
end

function builders.catalog(rng)
  return waba.catalog(framed(rng, { thumbnail_product_retailer_id = maybe(rng, identifier, 40) }))
end

function builders.location_request(rng) return waba.location_request(lively(rng, 1024)) end
function builders.request_contact_info(rng) return waba.request_contact_info(lively(rng, 1024)) end
function builders.call_permission(rng) return waba.call_permission(maybe(rng, lively, 1024)) end

function builders.address(rng)
  local function values()
    return { name = lively(rng, 40), phone_number = "+919800000001", in_pin_code = "560001", city = "Bengaluru" }
  end
  return waba.address(framed(rng, {
    country = "IN", values = maybe(rng, values),
    saved_addresses = maybe(rng, several, 3, function(_, i) return { id = "saved-" .. i, value = values() } end),
    validation_errors = maybe(rng, function() return { in_pin_code = "We do not deliver there." } end),
  }))
end

function builders.voice_call(rng)
  return waba.voice_call {
    body = lively(rng, 1024), display_text = maybe(rng, lively, 20),
    ttl_minutes = maybe(rng, function() return rng(1, 43200) end), payload = maybe(rng, identifier, 512),
  }
end

function builders.carousel(rng)
  local kind, with_buttons, with_body = pick(rng, { "image", "video" }), rng(1, 2) == 1, rng(1, 2) == 1
  local count = rng(1, 3)
  return waba.carousel { body = lively(rng, 1024), cards = exactly(rng, 2, 10, function(_, i)
    local card = { header = image_or_video(rng, kind), body = with_body and lively(rng, 160) or nil }
    if with_buttons then
      card.buttons = exactly(rng, count, count, function(_, j)
        return { id = distinct(identifier(rng, 256), i * 10 + j, 256), title = lively(rng, 20) }
      end)
    else
      card.display_text, card.url = lively(rng, 20), link(rng)
    end
    return card
  end) }
end

function builders.product_carousel(rng)
  return waba.product_carousel {
    body = lively(rng, 1024), catalog_id = rng(1, 999999),
    products = exactly(rng, 2, 10, function() return identifier(rng, 60) end),
  }
end

-- Payments

local function payment_setting(rng)
  local kind = rng(1, 4)
  if kind == 4 then return { offsite_card_pay = { credential_id = rng(1, 9999999), last_four_digits = "5235" } } end
  if kind == 1 then return { payment_link = { uri = link(rng) } } end
  if kind == 2 then return { pix_dynamic_code = { code = identifier(rng, 60), merchant_name = "Roth" } } end
  return { payment_gateway = { type = "razorpay", configuration_name = "shop" } }
end

local function order(rng)
  local content = {
    reference_id = ("ord-%d"):format(rng(1, 999999)), type = pick(rng, { "digital-goods", "physical-goods" }),
    payment_type = maybe(rng, pick, { "br", "upi" }), currency = pick(rng, { "BRL", "INR" }),
    payment_settings = several(rng, 2, payment_setting),
  }
  local subtotal = 0
  content.items = several(rng, 4, function()
    local price, quantity = rng(1, 99999), rng(1, 5)
    subtotal = subtotal + price * quantity
    return { retailer_id = identifier(rng, 20), name = lively(rng, 60), amount = { value = price }, quantity = quantity }
  end)
  local tax, shipping = rng(0, 500), rng(0, 500)
  local discount = rng(1, 2) == 1 and rng(0, subtotal) or nil
  content.subtotal, content.tax = { value = subtotal }, { value = tax, offset = 100, description = "VAT" }
  content.shipping = { amount_1000 = shipping * 10 }
  content.discount = discount and { value = discount, discount_program_name = "club" }
  content.total_amount = { value = subtotal + tax + shipping - (discount or 0) }
  content.expiration = maybe(rng, function() return { timestamp = 1790000000, description = "one hour" } end)
  if rng(1, 4) == 1 then content.payment_settings, content.payment_configuration = nil, "shop-upi" end
  if rng(1, 4) == 1 then -- an order can have a total without items
    for _, name in ipairs { "items", "subtotal", "tax", "shipping", "discount", "expiration" } do content[name] = nil end
  end
  return content
end

function builders.order_details(rng)
  local content = framed(rng, order(rng))
  content.header = maybe(rng, image_or_video, "image")
  return waba.order_details(content)
end

function builders.order_status(rng)
  return waba.order_status(framed(rng, {
    reference_id = "ord-118", status = pick(rng, { "processing", "partially_shipped", "shipped", "completed", "canceled" }),
    description = maybe(rng, lively, 100),
    payment = maybe(rng, function() return { status = "captured", timestamp = 1790000000 } end),
  }))
end

-- Templates

local template_buttons = {
  function(rng) return { payload = identifier(rng, 256) } end,
  function(rng) return { url = "track/" .. identifier(rng, 40) } end,
  function(rng) return { otp = ("%06d"):format(rng(0, 999999)) } end,
  function(rng) return { copy_code = "SAVE" .. rng(1, 99999999999) } end,
  function(rng) return { flow = pick(rng, { true, "sess-5f1", { flow_token = "t", flow_action_data = { a = 1 } } }) } end,
  function(rng) return { catalog = pick(rng, { true, identifier(rng, 40) }) } end,
  function(rng)
    return { mpm = {
      thumbnail_product_retailer_id = maybe(rng, identifier, 40),
      sections = named(sections(rng, 30, function() return identifier(rng, 60) end), "products"),
    } }
  end,
  function(rng)
    return { voice_call = pick(rng, { true, { ttl_minutes = rng(1, 43200) }, { ttl_minutes = 5, payload = "x" } }) }
  end,
  function(rng) return { order_details = order(rng) } end,
  function(rng) return { payment_request = { payment_link = { uri = link(rng) } } } end,
  function() return false end,
}

local function rich_header(rng)
  local kind = pick(rng, { "text", "image", "video", "document", "gif", "location", "product" })
  if kind == "text" then return lively(rng, 60) end
  if kind == "product" then return { product = { catalog_id = rng(1, 999), product_retailer_id = identifier(rng, 40) } } end
  if kind ~= "location" then return { [kind] = media_content(rng, kind, "cloud", true) } end
  local content = place(rng)
  content.name, content.address = lively(rng, 60), lively(rng, 60)
  return waba.location(content)
end

function builders.rich_template(rng)
  return waba.template {
    name = "spring_sale", language = "de", header = maybe(rng, rich_header),
    body = maybe(rng, function() return { first_name = lively(rng, 30), order_no = rng(1, 999) } end),
    buttons = maybe(rng, several, 4, function() return pick(rng, template_buttons)(rng) end),
    limited_time_offer = maybe(rng, function() return { expiration_time_ms = 1790000000000 } end),
  }
end

function builders.carousel_template(rng)
  local kind = pick(rng, { "image", "video", "product" })
  return waba.template {
    name = "spring_rooms", language = { code = "en", policy = "deterministic" }, body = maybe(rng, several, 3, lively),
    cards = exactly(rng, 2, 10, function()
      local product = { product = { catalog_id = "5", product_retailer_id = identifier(rng, 40) } }
      return {
        header = kind == "product" and product or image_or_video(rng, kind),
        body = maybe(rng, several, 2, function() return lively(rng, 80) end),
        buttons = { { payload = identifier(rng, 256) }, { url = identifier(rng, 20) } },
      }
    end),
  }
end

-- Examples

-- Examples that replace those of On-Premise hosting. false: Cloud hosting does not have the type.
local changes = {
  hsm = function() end,
  ["image by id"] = function(message)
    message.image.id = "7781230045"
    return message
  end,
  contacts = function(message)
    message.contacts[1].ims = nil
    return message
  end,
}

local function own_examples()
  local rng = random.rng(7)
  local names, list = {}, {}
  for name in pairs(builders) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do list[i] = { name = name, message = builders[name](rng) } end
  return list
end

--- Returns one example of every type and of every kind of interactive message that Cloud hosting has.
---@return { name: string, message: waba.Message }[]
local function examples()
  local list = {}
  for _, example in ipairs(common_examples()) do
    local change = changes[example.name]
    local message = example.message
    if change then message = change(message) end
    if message then list[#list + 1] = { name = example.name, message = message } end
  end
  for _, example in ipairs(own_examples()) do list[#list + 1] = example end
  return list
end

return { builders = builders, examples = examples }
