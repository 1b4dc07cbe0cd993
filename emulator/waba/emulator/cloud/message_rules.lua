-- The rules for the bodies of POST /messages (cloud.md, section 2), and the check that applies them.

local common = require "waba.emulator.cloud.common_rules"
local message_rules = require "waba.emulator.message_rules"

local cloud = {}

local checker = common.checker
local new_error, wrong, words = checker.new_error, common.wrong, message_rules.words
local required, text, object, list, choice, some_text, any_text, with = message_rules.constructors()

cloud.types = { "text", "image", "audio", "video", "document", "sticker", "location", "contacts", "reaction",
  "interactive", "template", "pin" }

-- The message types that can be sent to a group (cloud.md, section 2.19); a template may have text and media only.
local FOR_GROUPS = message_rules.set "text image audio video document sticker template pin"

local function check_recipient(value)
  local to, group = value.to, value.recipient_type == "group"
  if to == nil then
    if value.recipient == nil then return new_error("parameter_missing", "to or recipient is required") end
    return group and new_error("parameter_missing", "to is required for a group") or nil
  end
  if group then
    local is_id = to:find("%a") and not to:find("[^%w+/=_-]")
    return not is_id and wrong("to is not the id of a group") or nil
  end
  if message_rules.fits(to, "user_id") then
    return wrong("to is a business-scoped user id: expected it in the field recipient")
  end
  if not to:find("%d") or to:find("[^%d%s+()./-]") then return wrong("to is not a phone number: expected digits") end
end

local FRAME = {
  messaging_product = common.PRODUCT, recipient_type = choice "individual group", to = text(1, 200),
  recipient = text(1, nil, "user_id"), type = { is = "string", one_of = cloud.types },
  context = object({ message_id = required(some_text) }), biz_opaque_callback_data = text(0, 512),
  recipient_identity_key_hash = some_text,
}

-- The largest ttl_seconds of each category, for messages without an approved template (cloud.md, section 11.3).
local LONGEST = { utility = 43200, authentication = 900 }

local DIRECT_SEND = {
  category = choice("utility authentication", { codes = { wrong = "invalid_parameter" } }),
  ttl_seconds = { is = "integer" }, direct_send_config = object({ template_name = text(1, 512, "template_name") }),
}

-- The types of messages that can be sent without an approved template: text and some interactive ones.
local DIRECT_TYPES = { text = true, interactive = true }

local function check_direct_send(message, kind)
  local category, seconds = message.category, message.ttl_seconds
  if category == nil then
    for _, name in ipairs({ "ttl_seconds", "direct_send_config" }) do
      if message[name] ~= nil then
        return new_error("invalid_parameter", "%s is allowed only in messages with a category", name)
      end
    end
    return nil
  end
  if not DIRECT_TYPES[kind] then
    return new_error("invalid_parameter", "category is not allowed for messages of type %s: expected a template", kind)
  elseif seconds ~= nil and (seconds < 30 or seconds > LONGEST[category]) then
    return new_error("invalid_parameter", "ttl_seconds must be from 30 to %d for the category %s", LONGEST[category],
      category)
  elseif category == "authentication" and message.to == nil then
    return new_error("user_id_unsupported", "to is required for a message of the category authentication")
  end
end

local MARKETING = {
  product_policy = choice "CLOUD_API_FALLBACK STRICT", message_activity_sharing = { is = "boolean" },
  bid_spec = object({ per_message_bid_multiplier = { is = "number" } }),
}

-- Interactive messages (cloud.md, sections 2.8 to 2.17) -------------------------------------------

local function header(names)
  return message_rules.tagged({ text = text(1, 60, "no_markup"), image = common.IMAGE, video = common.VIDEO,
    document = common.DOCUMENT }, names, common.MEMBER_CODES)
end

-- Returns the rules of the fields of an action with a name; `parameters` is the rule of the field `parameters`.
local function named_action(name, parameters) return { name = required(choice(name)), parameters = parameters } end

local LINK = object({ display_text = required(text(1, 20)), url = required(text(1, nil, "url")) })

local FLOW = object({
  flow_message_version = required(choice "3"), flow_id = some_text, flow_name = some_text,
  flow_cta = required(text(1, 30, "no_emoji")), flow_token = any_text, mode = choice "published draft",
  flow_action = choice "navigate data_exchange",
  flow_action_payload = object({ screen = required(some_text), data = { is = "object", check = function(value, path)
    return next(value) == nil and wrong("%s must not be empty", path) or nil
  end } }),
}, { exactly_one = { "flow_id", "flow_name" }, check = function(value, path)
  local navigates = value.flow_action == nil or value.flow_action == "navigate"
  if not navigates and value.flow_action_payload ~= nil then
    return wrong("%s.flow_action_payload is allowed only with the action navigate", path)
  end
end })

local PLACE = object(with(message_rules.strings [[name phone_number house_number floor_number tower_number
  building_name address landmark_area city state]], { in_pin_code = text(0, 6) }))

local ADDRESS = object({
  country = required(text(0, nil, { "country", "upper_case" })), values = PLACE,
  saved_addresses = list(object({ id = required(some_text), value = required(PLACE) })),
  validation_errors = { is = "object", check = function(value, path)
    for name, message in pairs(value) do
      if type(message) ~= "string" then
        return new_error("invalid_parameter", "%s.%s must be a string", path, tostring(name))
      end
    end
  end },
})

-- Carousels ---------------------------------------------------------------------------------------

local REPLY = object({ type = required(choice "quick_reply"),
  quick_reply = required(object({ id = required(text(1, 256)), title = required(text(1, 20)) })) })

local CARD = object({
  card_index = { is = "integer", required = true, range = { 0, 9 } }, type = required(choice "cta_url product"),
  header = header "image video", body = words(160),
  action = required(object({ name = choice "cta_url", parameters = LINK, buttons = list(REPLY, 1, 3),
    product_retailer_id = some_text, catalog_id = some_text },
    { at_least_one = { "buttons", "name", "product_retailer_id" } })),
})

-- Returns a text that is equal for cards with the same kinds of header, body and buttons.
local function card_form(one)
  local action = one.action
  return table.concat({ one.type, one.header == nil and "-" or one.header.type, one.body == nil and "-" or "body",
    action.name == nil and "-" or "link", action.buttons == nil and "-" or tostring(#action.buttons),
    action.catalog_id == nil and "-" or action.catalog_id }, " ")
end

local function check_card(one, path)
  local action = one.action
  if one.type == "product" then
    if action.product_retailer_id == nil or action.catalog_id == nil then
      return new_error("parameter_missing", "%s.action needs product_retailer_id and catalog_id", path)
    end
  elseif one.header == nil then
    return new_error("parameter_missing", "%s.header is required", path)
  elseif action.name ~= nil and action.parameters == nil then
    return new_error("parameter_missing", "%s.action.parameters is required", path)
  elseif action.product_retailer_id ~= nil or action.name ~= nil and action.buttons ~= nil then
    return wrong("%s.action must have either a link or buttons, and no product", path)
  end
  if one.body ~= nil and select(2, one.body.text:gsub("\n", "")) > 2 then
    return wrong("%s.body.text has more than two line breaks, at most two are allowed", path)
  end
end

local function check_cards(cards, path)
  for i, one in ipairs(cards) do
    local place = ("%s[%d]"):format(path, i - 1)
    local found = check_card(one, place)
    if found then return found end
    if one.card_index ~= i - 1 then return wrong("%s.card_index must be %d", place, i - 1) end
    if card_form(one) ~= card_form(cards[1]) then
      return wrong("%s must have the same parts as the first card", place)
    end
  end
end

-- Creates the variant of a kind of interactive message. `action` has the rules of the fields of the message's action,
-- and `parts` the rules of the message's header, body and footer.
local function interactive(action, parts) return { fields = with(parts, { action = required(object(action)) }) } end

local HEADER, BODY, FOOTER = header(), required(words(1024)), words(60)
local USUAL, ALONE, BELOW = { header = HEADER, body = BODY, footer = FOOTER }, { body = BODY },
  { body = BODY, footer = FOOTER }

local INTERACTIVE = { is = "object", by = "type", check = message_rules.check_products, variants = {
  button = interactive({ buttons = message_rules.reply_buttons(text(1, 256, "trimmed")) }, USUAL),
  list = interactive({ button = required(text(1, 20, "no_markup")), sections = required(message_rules.row_sections()) },
    { header = header "text", body = required(words(4096)), footer = FOOTER }),
  cta_url = interactive(named_action("cta_url", required(LINK)), USUAL),
  flow = interactive(named_action("flow", required(FLOW)), USUAL),
  product = interactive({ catalog_id = required(some_text), product_retailer_id = required(some_text) },
    { body = words(1024), footer = FOOTER }),
  product_list = interactive({ catalog_id = required(some_text),
    sections = required(message_rules.product_sections(some_text)) },
    { header = required(header "text"), body = BODY, footer = FOOTER }),
  catalog_message = interactive(named_action("catalog_message",
    object({ thumbnail_product_retailer_id = some_text })), BELOW),
  location_request_message = interactive(named_action "send_location", ALONE),
  address_message = interactive(named_action("address_message", required(ADDRESS)), USUAL),
  voice_call = interactive(named_action("voice_call", object({ display_text = text(1, 20), payload = text(0, 512),
    ttl_minutes = { is = "integer", range = { 1, 43200 } } })), ALONE),
  call_permission_request = interactive(named_action "call_permission_request", { body = words(1024) }),
  request_contact_info = interactive(named_action "request_contact_info", ALONE),
  carousel = interactive({ cards = required(list(CARD, 2, 10, { check = check_cards })) }, ALONE),
  order_details = interactive(named_action("review_and_pay", required(common.order_details)),
    { header = header "image", body = BODY, footer = FOOTER }),
  order_status = interactive(named_action("review_order", required(common.order_status)), BELOW),
} }

-- The types of messages ---------------------------------------------------------------------------

-- An emoji may consist of several characters; letters and digits are no emojis.
local function one_emoji(value, path)
  if value ~= "" and (not value:find("[\128-\255]") and not value:find("^[%d#*]\239\184\143?\226\131\163$")
    or message_rules.characters(value) > 16) then
    return wrong("%s must be one emoji, or empty to take the reaction away", path)
  end
end

local PIN = { is = "object", by = "type", fields = { message_id = required(some_text) },
  codes = { surplus = "parameter_invalid" }, variants = {
    pin = { fields = { expiration_days = { is = "integer", required = true, range = { 1, 30 } } } }, unpin = {},
  } }

--- The rule of the content of each type.
cloud.content = {
  text = object({ body = required(text(1, 4096)), preview_url = { is = "boolean" } }),
  image = common.media_rule("image", "caption"), video = common.media_rule("video", "caption"),
  document = common.media_rule("document", "caption", "filename"), audio = common.media_rule("audio", "voice"),
  sticker = common.media_rule "sticker", location = message_rules.location(text(0, 1000)),
  contacts = message_rules.contacts(257, { place = any_text, phone = any_text, country = any_text }, {}),
  reaction = object({ message_id = required(some_text), emoji = { is = "string", required = true,
    check = one_emoji } }),
  interactive = INTERACTIVE,
  template = common.template, pin = PIN,
}

local function frame_of(name, more)
  return object(with(with(FRAME, more), { [name] = required(cloud.content[name]) }), { check = check_recipient })
end

-- The rules of complete messages, by type.
local frames, marketing_frame = {}, frame_of("template", MARKETING)
for _, name in ipairs(cloud.types) do frames[name] = frame_of(name, DIRECT_SEND) end

local function check_together(message, kind)
  local found = check_direct_send(message, kind)
  if found then return found end
  if kind == "pin" and message.recipient_type ~= "group" then
    return wrong("pin goes to groups only")
  elseif message.recipient_type == "group" and not FOR_GROUPS[kind] then
    return new_error("type_unsupported", "%s cannot be sent to a group", kind)
  elseif kind == "reaction" and message.context ~= nil then
    return wrong("context: a reaction cannot be a reply")
  end
end

--- Checks a message, which is the decoded body of a request. Returns the first error; or nil and the type of the
--- message. `context` has the functions `find_media` and `find_products`; `context.marketing` is true for a marketing
--- message.
function cloud.check(message, context)
  local kind = message.type == nil and "text" or message.type
  context.type = type(kind) == "string" and kind or nil
  local frame = context.marketing and marketing_frame or frames[kind] or object(FRAME, { open = true })
  local found = checker:first(message, frame, "", context) or check_together(message, kind)
  return found, not found and kind or nil
end

--- The rule of marking a message as read (cloud.md, section 2.20).
cloud.mark_read = object({
  messaging_product = common.PRODUCT, status = required(choice "read"), message_id = required(some_text),
  typing_indicator = object({ type = required(choice "text") }),
})

return cloud
