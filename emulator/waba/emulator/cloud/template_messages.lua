-- Template messages (cloud.md, sections 2.18 and 11.3): the rule for the field `template`, and the check against the
-- definition of the template.

local common = require "waba.emulator.cloud.common_rules"
local message_rules = require "waba.emulator.message_rules"
local template_check = require "waba.emulator.template_check"
local template_store = require "waba.emulator.template_store"

local template_messages = {}

local new_error, wrong = common.checker.new_error, common.wrong
local required, text, object, list, choice, some_text, any_text, with = message_rules.constructors()

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

-- The parameters that a component or a button may have, and how many of them.
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

--- The rule of the field `template` of a message.
template_messages.rule = object({
  name = required(text(1, 512, "template_name")), namespace = { is = "any" },
  language = required(object({ code = required(text(0, nil, "language")), policy = choice "deterministic" })),
  components = list(component(with(WITHIN_CARDS, {
    limited_time_offer = parameters("limited_time_offer", 1),
    tap_target_configuration = parameters("tap_target_configuration", 1),
    carousel = { fields = { cards = required(list(CARD, 1, 10)) } },
  })), 0, nil, { check = check_components }),
})

-- The check against a template --------------------------------------------------------------------

local OWN = { new_error = new_error, code_characters = 15,
  codes = { header = "parameter_mismatch", button_unknown = "template_parameters_invalid",
    button_missing = "parameter_missing" },
  sub_types = { OTP = "url", URL = "url", QUICK_REPLY = "quick_reply", COPY_CODE = "copy_code", FLOW = "flow",
    CATALOG = "catalog", MPM = "mpm", VOICE_CALL = "voice_call", ORDER_DETAILS = "order_details",
    PAYMENT_REQUEST = "payment_request" },
  needed = message_rules.set "PAYMENT_REQUEST COPY_CODE OTP FLOW MPM ORDER_DETAILS" }

local function check_parts(template, components, message_components, longest)
  local known, sent = template_store.by_type(components), template_store.by_type(message_components)
  return template_check.parts(OWN, template, known, sent, longest or template_check.longest_body(known)), known, sent
end

local function check_carousel(template, known, sent)
  if not known then
    return sent and new_error("template_parameters_invalid", "carousel: the template has no carousel") or nil
  elseif not sent then
    return new_error("parameter_mismatch", "carousel is required: the template has a carousel")
  elseif #sent.cards ~= #known.cards and known.cards[1].components[1].format ~= "PRODUCT" then
    return new_error("parameter_count", "carousel: number of cards (%d) does not match the expected number (%d)",
      #sent.cards, #known.cards)
  end
  for i, card in ipairs(sent.cards) do
    local definition = known.cards[i] or known.cards[#known.cards]
    local found = check_parts(template, definition.components, card.components, 160)
    if found then
      found.details = ("carousel: card %d: %s"):format(i - 1, found.details)
      return found
    end
  end
end

local function check_offer(known, sent)
  if not known then
    return sent and new_error("template_parameters_invalid", "limited_time_offer: the template has no limited-time "
      .. "offer") or nil
  end
  local offer = known.limited_time_offer
  if type(offer) == "table" and offer.has_expiration == true and #template_store.parameters_of(sent) == 0 then
    return new_error("parameter_missing", "limited_time_offer: expiration_time_ms is required")
  end
end

--- Returns the first error of a template message. `message` is the field `template`, with the name and the components.
function template_messages.new_error(template, message_components)
  local found, known, sent = check_parts(template, template.components, message_components)
  return found or check_offer(known.limited_time_offer, sent.limited_time_offer)
    or check_carousel(template, known.carousel, sent.carousel)
end

--- Returns whether a template can be sent only to a phone number, and not to a user id, because it has a button that
--- copies or fills in a code.
function template_messages.needs_number(template)
  for _, button in pairs(template_store.by_type(template.components).buttons) do
    if button.type == "OTP" or button.type == "URL" and template.category == "AUTHENTICATION" then
      return true
    end
  end
  return false
end

return template_messages
