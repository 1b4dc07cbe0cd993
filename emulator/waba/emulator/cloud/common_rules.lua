-- Rules of parts of Cloud messages: media, payments and template messages. Templates and other endpoints have some of
-- these parts too. rules.lua describes the notation.

local codes = require "waba.emulator.codes"
local media_store = require "waba.emulator.media_store"
local message_rules = require "waba.emulator.message_rules"
local rules = require "waba.emulator.rules"

local common = {}

local required, text, object, list, choice, some_text, any_text, with = message_rules.constructors()

--- The checker with the error codes of the Cloud API (cloud.md, section 6.3).
common.checker = rules.new(codes.cloud, {
  missing = "parameter_missing", wrong = "parameter_invalid", surplus = "invalid_parameter",
  exclusive = "parameter_invalid", too_long = "invalid_parameter", wrong_type = "invalid_parameter",
  one_line = "template_parameters_invalid", media_id = "invalid_parameter",
})

--- Returns an error with the code for an invalid value.
function common.wrong(...) return common.checker.new_error("parameter_invalid", ...) end
local wrong = common.wrong

--- The field messaging_product, which every body about WhatsApp must have in the Graph API.
common.PRODUCT = choice("whatsapp", { required = true,
  codes = { missing = "invalid_parameter", wrong = "invalid_parameter" } })

local MIB, set = message_rules.MIB, message_rules.set

--- The MIME types and the largest size in bytes of each kind of media (cloud.md, section 3.1).
common.media = {
  image = { max = 5 * MIB, types = set "image/jpeg image/png" },
  audio = { max = 16 * MIB, types = set "audio/aac audio/amr audio/mpeg audio/mp4 audio/ogg" },
  video = { max = 16 * MIB, types = set "video/mp4 video/3gpp" },
  document = { max = 100 * MIB, types = set [[text/plain application/pdf application/msword
    application/vnd.ms-excel application/vnd.ms-powerpoint
    application/vnd.openxmlformats-officedocument.wordprocessingml.document
    application/vnd.openxmlformats-officedocument.spreadsheetml.sheet
    application/vnd.openxmlformats-officedocument.presentationml.presentation]] },
  sticker = { max = 500 * 1024, types = set "image/webp" },
}
common.media.gif = common.media.video

--- Returns whether files of a MIME type can be uploaded.
function common.known_type(mime_type)
  for _, kind in pairs(common.media) do
    if media_store.type_fits(kind, mime_type) then return true end
  end
  return false
end

local MEDIA_FIELDS = { caption = text(0, 1024), filename = text(0, 240), voice = { is = "boolean" } }

--- Creates the rule of a media object. The arguments after the kind are the names of further allowed fields.
function common.media_rule(kind, ...)
  local fields = {}
  for _, name in ipairs({ ... }) do fields[name] = MEDIA_FIELDS[name] end
  return message_rules.media(kind, text(1, nil, "media_id"), fields)
end

common.IMAGE, common.VIDEO = common.media_rule "image", common.media_rule "video"
common.DOCUMENT = common.media_rule("document", "filename")

--- The error codes for objects with the field `type` and one other field, whose name is the value of `type`.
common.MEMBER_CODES = { surplus = "parameter_invalid" }

-- Payments (cloud.md, sections 2.17 and 11.3) -----------------------------------------------------

local AMOUNT = object({
  value = { is = "integer", required = true, range = { 0, 1e15 } },
  offset = { is = "integer", required = true, one_of = { 100 } },
  description = any_text, discount_program_name = any_text,
})

local function value_of(money) return money == nil and 0 or money.value end

local function check_order(value, path)
  local order = value.order
  if order == nil then return nil end
  local total = value_of(order.subtotal) + value_of(order.tax) + value_of(order.shipping) - value_of(order.discount)
  if value.total_amount.value ~= total then
    return wrong("%s.total_amount must be subtotal, tax and shipping less discount: %d", path, total)
  end
end

local ITEM = object({
  retailer_id = some_text, name = required(some_text), amount = required(AMOUNT), sale_amount = AMOUNT,
  quantity = { is = "integer", required = true, range = { 1, 1e9 } },
})

-- The known fields of a payment setting; the payment provider defines the others.
local SETTINGS = {
  payment_link = object({ uri = required(text(0, nil, "url")) }),
  offsite_card_pay = object({ credential_id = required(some_text),
    last_four_digits = required(text(0, nil, "four_digits")) }),
  pix_dynamic_code = { is = "object" }, boleto = { is = "object" }, payment_gateway = { is = "object" },
}

common.payment_request = required(message_rules.tagged(SETTINGS, "payment_link pix_dynamic_code boleto",
  common.MEMBER_CODES))

local REFERENCE = required(text(1, 35, "reference"))

common.order_details = object({
  reference_id = REFERENCE, type = required(choice "digital-goods physical-goods"), payment_type = choice "br upi",
  payment_configuration = any_text, currency = required(choice "BRL INR"), total_amount = required(AMOUNT),
  payment_settings = list(message_rules.tagged(SETTINGS, nil, common.MEMBER_CODES)),
  order = object({
    status = required(choice "pending"), items = required(list(ITEM, 1)), subtotal = required(AMOUNT),
    tax = required(AMOUNT), shipping = AMOUNT, discount = AMOUNT, catalog_id = any_text,
    expiration = object({ timestamp = { is = "string|integer", required = true }, description = any_text }),
  }),
}, { check = check_order })

common.order_status = object({
  reference_id = REFERENCE,
  order = object({ description = text(0, 120), status = required(choice [[pending processing partially_shipped
    partially-shipped shipped completed canceled]]) }),
  payment = object({ status = required(choice "captured pending failed"), timestamp = { is = "integer|string" } }),
})

-- Templates (cloud.md, section 2.18) --------------------------------------------------------------

local FALLBACK = required(some_text)

local ANY = { is = "any" }
local DATE = { fallback_value = FALLBACK, calendar = ANY, day_of_week = ANY, year = ANY, month = ANY,
  day_of_month = ANY, hour = ANY, minute = ANY, timestamp = ANY }

local ACTION = {
  flow_token = any_text, flow_action_data = { is = "object" }, thumbnail_product_retailer_id = some_text,
  sections = message_rules.product_sections(some_text), order_details = common.order_details,
  payment_request = object({ payment_setting = common.payment_request }),
}

local PARAMETERS = {
  text = with(text(1, nil, "one_line"), { codes = { empty = "parameter_missing" } }),
  currency = object({ fallback_value = FALLBACK, code = required(text(0, nil, "currency")),
    amount_1000 = { is = "integer", required = true } }),
  date_time = object(DATE),
  image = common.IMAGE, video = common.VIDEO, document = common.DOCUMENT, gif = common.media_rule "video",
  location = message_rules.location(required(text(1, 1000))),
  product = object({ catalog_id = required(some_text), product_retailer_id = required(some_text) }),
  payload = text(1, 256), coupon_code = text(1, 15, "alphanumeric"), action = object(ACTION),
  limited_time_offer = object({ expiration_time_ms = { is = "integer", required = true, range = { 1, 1e14 } } }),
  tap_target_configuration = list(object({ url = required(text(0, nil, "url")), title = required(some_text) }), 1),
  ttl_minutes = { is = "integer", range = { 1, 43200 } },
}

local PAYMENT = { action = object(with(ACTION, { payment_request = required(ACTION.payment_request) })) }

-- Creates the variant of a component or a button that has at most `most` parameters of the types in `names`.
local function parameters(names, most, fields)
  local one = message_rules.tagged(fields or PARAMETERS, names, { wrong = "parameter_mismatch",
    surplus = "parameter_invalid" })
  one.fields = { parameter_name = text(0, nil, "parameter_name") }
  return { fields = { parameters = list(one, 0, most, { codes = { count = "parameter_count" } }) } }
end

local BUTTON = { by = "sub_type", either_case = true, fields = { index = required(message_rules.button_index) },
  variants = {
    quick_reply = parameters("payload", 1), url = parameters("text", 1), copy_code = parameters("coupon_code", 1),
    flow = parameters("action", 1), catalog = parameters("action", 1), mpm = parameters("action", 1),
    order_details = parameters("action", 1), payment_request = parameters("action", 1, PAYMENT),
    voice_call = parameters("ttl_minutes payload", 2),
  } }

-- The types of components and of their buttons may be in lower or in upper case.
local function component(variants) return { is = "object", by = "type", either_case = true, variants = variants } end

local WITHIN_CARDS = {
  header = parameters("text image video document gif location product", 1), body = parameters "text currency date_time",
  button = BUTTON,
}

local once_each = message_rules.once_each(common.checker)

-- The largest number of payment requests in one message.
local MOST_REQUESTS = 3

local function check_components(components, path)
  local requests = 0
  for _, one in ipairs(components) do
    local is_request = one.type:lower() == "button" and one.sub_type:lower() == "payment_request"
    requests = requests + (is_request and 1 or 0)
  end
  if requests > MOST_REQUESTS then
    return wrong("%s has %d payment requests, at most %d are allowed", path, requests, MOST_REQUESTS)
  end
  return once_each(components, path)
end

local CARD = object({ card_index = { is = "integer", required = true, range = { 0, 9 } },
  components = required(list(component(WITHIN_CARDS), 1, nil, { check = once_each })) })

common.template = object({
  name = required(text(1, 512, "template_name")), namespace = { is = "any" },
  language = required(object({ code = required(text(0, nil, "language")), policy = choice "deterministic" })),
  components = list(component(with(WITHIN_CARDS, {
    limited_time_offer = parameters("limited_time_offer", 1),
    tap_target_configuration = parameters("tap_target_configuration", 1),
    carousel = { fields = { cards = required(list(CARD, 1, 10)) } },
  })), 0, nil, { check = check_components }),
})

return common
