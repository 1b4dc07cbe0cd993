-- The rules of interactive messages (cloud.md, sections 2.8 to 2.17), one variant for each kind.

local common = require "waba.emulator.cloud.common_rules"
local message_rules = require "waba.emulator.message_rules"
local rules = require "waba.emulator.rules"

local absent, new_error, words = rules.absent, common.checker.new_error, message_rules.words
local required, text, object, list, choice, some_text, any_text, with = message_rules.constructors()

local function header(names)
  return message_rules.tagged({ text = text(1, 60, "no_markup"), image = common.IMAGE, video = common.VIDEO,
    document = common.DOCUMENT }, names, common.MEMBER_CODES)
end

-- An action with a name, and with parameters where there is a rule of them.
local function named_action(name, parameters)
  return { name = required(choice(name)), parameters = parameters }
end

local LINK = object({ display_text = required(text(1, 20)), url = required(text(1, nil, "url")) })

-- Flows, addresses --------------------------------------------------------------------------------

local FLOW = object({
  flow_message_version = required(choice "3"), flow_id = some_text, flow_name = some_text,
  flow_cta = required(text(1, 30, "no_emoji")), flow_token = any_text, mode = choice "published draft",
  flow_action = choice "navigate data_exchange",
  flow_action_payload = object({ screen = required(some_text), data = { is = "object", check = function(value, path)
    return next(value) == nil and new_error("parameter_invalid", "%s must not be empty", path) or nil
  end } }),
}, { exactly_one = { "flow_id", "flow_name" }, check = function(value, path)
  local navigates = absent(value.flow_action) or value.flow_action == "navigate"
  if not navigates and not absent(value.flow_action_payload) then
    return new_error("parameter_invalid", "%s.flow_action_payload goes with the action navigate only", path)
  end
end })

local PLACE = object(with(message_rules.strings [[name phone_number house_number floor_number tower_number
  building_name address landmark_area city state]], { in_pin_code = text(0, 6) }))

local ADDRESS = object({
  country = required(text(0, nil, { "country", "upper_case" })), values = PLACE,
  saved_addresses = list(object({ id = required(some_text), value = required(PLACE) })),
  validation_errors = { is = "object", check = function(value, path)
    for name, sentence in pairs(value) do
      if type(sentence) ~= "string" then
        return new_error("invalid_parameter", "%s.%s must be a string", path, tostring(name))
      end
    end
  end },
})

-- Carousel ----------------------------------------------------------------------------------------

local REPLY = object({ type = required(choice "quick_reply"),
  quick_reply = required(object({ id = required(text(1, 256)), title = required(text(1, 20)) })) })

local CARD = object({
  card_index = { is = "integer", required = true, range = { 0, 9 } }, type = required(choice "cta_url product"),
  header = header "image video", body = words(160),
  action = required(object({ name = choice "cta_url", parameters = LINK, buttons = list(REPLY, 1, 3),
    product_retailer_id = some_text, catalog_id = some_text },
    { at_least_one = { "buttons", "name", "product_retailer_id" } })),
})

-- Checks that all cards have the same kind, header, body and buttons.
local function card_form(one)
  local action = one.action
  return table.concat({ one.type, absent(one.header) and "-" or one.header.type, absent(one.body) and "-" or "body",
    absent(action.name) and "-" or "link", absent(action.buttons) and "-" or tostring(#action.buttons),
    absent(action.catalog_id) and "-" or action.catalog_id }, " ")
end

local function check_card(one, path)
  local action = one.action
  if one.type == "product" then
    if absent(action.product_retailer_id) or absent(action.catalog_id) then
      return new_error("parameter_missing", "%s.action needs product_retailer_id and catalog_id", path)
    end
  elseif absent(one.header) then
    return new_error("parameter_missing", "%s.header is required", path)
  elseif not absent(action.name) and absent(action.parameters) then
    return new_error("parameter_missing", "%s.action.parameters is required", path)
  elseif not absent(action.product_retailer_id) or not absent(action.name) and not absent(action.buttons) then
    return new_error("parameter_invalid", "%s.action has a link or buttons", path)
  end
  if not absent(one.body) and select(2, one.body.text:gsub("\n", "")) > 2 then
    return new_error("parameter_invalid", "%s.body.text has more than two line breaks", path)
  end
end

local function check_cards(cards, path)
  for i, one in ipairs(cards) do
    local place = ("%s[%d]"):format(path, i - 1)
    local found = check_card(one, place)
    if found then return found end
    if one.card_index ~= i - 1 then return new_error("parameter_invalid", "%s.card_index must be %d", place, i - 1) end
    if card_form(one) ~= card_form(cards[1]) then
      return new_error("parameter_invalid", "%s must have the same parts as the first card", place)
    end
  end
end

-- Every kind --------------------------------------------------------------------------------------

-- The rule of a kind: its action, and its header, body and footer where it has them.
local function kind(action, parts)
  return { fields = with(parts, { action = required(object(action)) }) }
end

local HEADER, BODY, FOOTER = header(), required(words(1024)), words(60)
local USUAL, ALONE, BELOW = { header = HEADER, body = BODY, footer = FOOTER }, { body = BODY },
  { body = BODY, footer = FOOTER }

--- The rule; its variants are the kinds by the name in `interactive.type`.
---@type waba.emulator.Rule
return { is = "object", by = "type", check = message_rules.check_products, variants = {
  button = kind({ buttons = message_rules.reply_buttons(text(1, 256, "trimmed")) }, USUAL),
  list = kind({ button = required(text(1, 20, "no_markup")), sections = required(message_rules.row_sections()) },
    { header = header "text", body = required(words(4096)), footer = FOOTER }),
  cta_url = kind(named_action("cta_url", required(LINK)), USUAL),
  flow = kind(named_action("flow", required(FLOW)), USUAL),
  product = kind({ catalog_id = required(some_text), product_retailer_id = required(some_text) },
    { body = words(1024), footer = FOOTER }),
  product_list = kind({ catalog_id = required(some_text),
    sections = required(message_rules.product_sections(some_text)) },
    { header = required(header "text"), body = BODY, footer = FOOTER }),
  catalog_message = kind(named_action("catalog_message", object({ thumbnail_product_retailer_id = some_text })), BELOW),
  location_request_message = kind(named_action "send_location", ALONE),
  address_message = kind(named_action("address_message", required(ADDRESS)), USUAL),
  voice_call = kind(named_action("voice_call", object({ display_text = text(1, 20), payload = text(0, 512),
    ttl_minutes = { is = "integer", range = { 1, 43200 } } })), ALONE),
  call_permission_request = kind(named_action "call_permission_request", { body = words(1024) }),
  request_contact_info = kind(named_action "request_contact_info", ALONE),
  carousel = kind({ cards = required(list(CARD, 2, 10, { check = check_cards })) }, ALONE),
  order_details = kind(named_action("review_and_pay", required(common.order_details)),
    { header = header "image", body = BODY, footer = FOOTER }),
  order_status = kind(named_action("review_order", required(common.order_status)), BELOW),
} }
