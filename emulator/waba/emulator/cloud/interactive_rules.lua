-- The rules of interactive messages (cloud.md, sections 2.8 to 2.17), one entry for each kind.

local content = require "waba.emulator.cloud.content_rules"
local payment_rules = require "waba.emulator.cloud.payment_rules"
local walker = require "waba.emulator.cloud.walker"

local fault, absent = walker.fault, walker.absent

local function text_object(name, required, max)
  return { name, type = "object", required = required, fields = {
    { "text", type = "string", required = true, min = 1, max = max } } }
end

local HEADER_TYPES = { "text", "image", "video", "document" }

-- The header with the types that a kind allows.
local function header_rule(types, required)
  return { "header", type = "object", required = required, check = content.one_of(HEADER_TYPES), fields = {
    { "type", type = "string", required = true, values = types },
    { "text", type = "string", min = 1, max = 60, check = content.no_markup },
    content.media_rule("image", false), content.media_rule("video", false),
    content.media_rule("document", false, "filename"),
  } }
end

local function action_rule(fields)
  return { "action", type = "object", required = true, fields = fields }
end

-- An action with a name and parameters.
local function named_action(name, parameters, required)
  local fields = { { "name", type = "string", required = true, values = { name } } }
  if parameters then
    fields[2] = { "parameters", type = "object", required = required, fields = parameters.fields,
      check = parameters.check }
  end
  return action_rule(fields)
end

local CTA_PARAMETERS = { fields = {
  { "display_text", type = "string", required = true, min = 1, max = 20 },
  { "url", type = "string", required = true, min = 1, check = content.web_address },
} }

-- ---- Reply buttons and lists -----------------------------------------------------------------------

local buttons = action_rule({ { "buttons", type = "array", required = true, min = 1, max = 3,
  each = { type = "object", fields = {
    { "type", type = "string", required = true, values = { "reply" } },
    { "reply", type = "object", required = true, fields = {
      { "id", type = "string", required = true, min = 1, max = 256, check = content.trimmed },
      { "title", type = "string", required = true, min = 1, max = 20, check = content.no_markup },
    } },
  } },
  check = function(value, path)
    return content.unique(value, path, function(button) return button.reply.id end, "reply.id")
      or content.unique(value, path, function(button) return button.reply.title end, "reply.title")
  end } })

local list = action_rule({
  { "button", type = "string", required = true, min = 1, max = 20, check = content.no_markup },
  { "sections", type = "array", required = true, min = 1, max = 10, check = content.check_sections("rows", 10),
    each = { type = "object", fields = {
      { "title", type = "string", max = 24 },
      { "rows", type = "array", required = true, min = 1, each = { type = "object", fields = {
        { "id", type = "string", required = true, min = 1, max = 200 },
        { "title", type = "string", required = true, min = 1, max = 24 },
        { "description", type = "string", max = 72 },
      } } },
    } } },
})

-- ---- Flow ------------------------------------------------------------------------------------------

local function check_flow(value, path)
  local by_id, by_name = not absent(value.flow_id), not absent(value.flow_name)
  local action = absent(value.flow_action) and "navigate" or value.flow_action
  if by_id == by_name then
    return fault(by_id and 131009 or 131008, "%s: exactly one of flow_id and flow_name is required", path)
  elseif action ~= "navigate" and not absent(value.flow_action_payload) then
    return fault(131009, "%s.flow_action_payload goes with the action navigate only", path)
  end
end

local FLOW_PARAMETERS = { check = check_flow, fields = {
  { "flow_message_version", type = "string", required = true, values = { "3" } },
  { "flow_id", type = "string", min = 1 },
  { "flow_name", type = "string", min = 1 },
  { "flow_cta", type = "string", required = true, min = 1, max = 30, check = content.no_emoji },
  { "flow_token", type = "string" },
  { "mode", type = "string", values = { "published", "draft" } },
  { "flow_action", type = "string", values = { "navigate", "data_exchange" } },
  { "flow_action_payload", type = "object", fields = {
    { "screen", type = "string", required = true, min = 1 },
    { "data", type = "object", check = function(value, path)
      if next(value) == nil then return fault(131009, "%s must not be empty", path) end
    end },
  } },
} }

-- ---- Addresses -------------------------------------------------------------------------------------

local address_values = { type = "object", fields = { { "in_pin_code", type = "string", max = 6 } }, extra = {} }
for name in ([[name phone_number house_number floor_number tower_number building_name address landmark_area
  city state]]):gmatch("%S+") do
  table.insert(address_values.fields, { name, type = "string" })
end

local function named(name, rule, required)
  return { name, type = rule.type, fields = rule.fields, required = required }
end

local ADDRESS_PARAMETERS = { fields = {
  { "country", type = "string", required = true, pattern = "^%u%u$", says = "a country code of two letters" },
  named("values", address_values),
  { "saved_addresses", type = "array", each = { type = "object", fields = {
    { "id", type = "string", required = true, min = 1 },
    named("value", address_values, true),
  } } },
  { "validation_errors", type = "object", check = function(value, path)
    for name, sentence in pairs(value) do
      if type(sentence) ~= "string" then
        return fault(100, "%s.%s must be a string", path, tostring(name))
      end
    end
  end },
} }

-- ---- Carousel --------------------------------------------------------------------------------------

local function check_card_action(value, path)
  if absent(value.buttons) and absent(value.name) and absent(value.product_retailer_id) then
    return fault(131008, "%s needs buttons, a link or a product", path)
  end
end

local card = { type = "object", fields = {
  { "card_index", type = "integer", required = true, from = 0, to = 9 },
  { "type", type = "string", required = true, values = { "cta_url", "product" } },
  { "header", type = "object", check = content.one_of({ "image", "video" }), fields = {
    { "type", type = "string", required = true, values = { "image", "video" } },
    content.media_rule("image", false), content.media_rule("video", false),
  } },
  text_object("body", false, 160),
  { "action", type = "object", required = true, check = check_card_action, fields = {
    { "name", type = "string", values = { "cta_url" } },
    { "parameters", type = "object", fields = CTA_PARAMETERS.fields },
    { "buttons", type = "array", min = 1, max = 3, each = { type = "object", fields = {
      { "type", type = "string", required = true, values = { "quick_reply" } },
      { "quick_reply", type = "object", required = true, fields = {
        { "id", type = "string", required = true, min = 1, max = 256 },
        { "title", type = "string", required = true, min = 1, max = 20 },
      } },
    } } },
    { "product_retailer_id", type = "string", min = 1 },
    { "catalog_id", type = "string", min = 1 },
  } },
} }

-- What must be the same on every card: kind, header, body and buttons.
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
      return fault(131008, "%s.action needs product_retailer_id and catalog_id", path)
    end
  elseif absent(one.header) then
    return fault(131008, "%s.header is required", path)
  elseif not absent(action.name) and absent(action.parameters) then
    return fault(131008, "%s.action.parameters is required", path)
  elseif not absent(action.product_retailer_id) or not absent(action.name) and not absent(action.buttons) then
    return fault(131009, "%s.action has a link or buttons", path)
  end
  if not absent(one.body) and select(2, one.body.text:gsub("\n", "")) > 2 then
    return fault(131009, "%s.body.text has more than two line breaks", path)
  end
end

local function check_cards(cards, path)
  for i, one in ipairs(cards) do
    local place = ("%s[%d]"):format(path, i - 1)
    local found = check_card(one, place)
    if found then
      return found
    elseif one.card_index ~= i - 1 then
      return fault(131009, "%s.card_index must be %d", place, i - 1)
    elseif card_form(one) ~= card_form(cards[1]) then
      return fault(131009, "%s must have the same parts as the first card", place)
    end
  end
end

-- ---- Every kind ------------------------------------------------------------------------------------

local ANY_HEADER = header_rule(HEADER_TYPES, false)

local function kind(parts)
  local fields = { { "type", type = "string", required = true } }
  for _, part in ipairs(parts) do
    if part then fields[#fields + 1] = part end
  end
  return { "interactive", type = "object", required = true, fields = fields }
end

local BODY, FOOTER = text_object("body", true, 1024), text_object("footer", false, 60)
local OPTIONAL_BODY = text_object("body", false, 1024)

--- The rule of each kind by the name in `interactive.type`.
---@type table<string, table>
return {
  button = kind { ANY_HEADER, BODY, FOOTER, buttons },
  list = kind { header_rule({ "text" }, false), text_object("body", true, 4096), FOOTER, list },
  cta_url = kind { ANY_HEADER, BODY, FOOTER, named_action("cta_url", CTA_PARAMETERS, true) },
  flow = kind { ANY_HEADER, BODY, FOOTER, named_action("flow", FLOW_PARAMETERS, true) },
  product = kind { OPTIONAL_BODY, FOOTER, action_rule({
    { "catalog_id", type = "string", required = true, min = 1 },
    { "product_retailer_id", type = "string", required = true, min = 1 } }) },
  product_list = kind { header_rule({ "text" }, true), BODY, FOOTER, action_rule({
    { "catalog_id", type = "string", required = true, min = 1 }, content.product_sections() }) },
  catalog_message = kind { BODY, FOOTER, named_action("catalog_message", { fields = {
    { "thumbnail_product_retailer_id", type = "string", min = 1 } } }) },
  location_request_message = kind { BODY, named_action("send_location") },
  address_message = kind { ANY_HEADER, BODY, FOOTER, named_action("address_message", ADDRESS_PARAMETERS, true) },
  voice_call = kind { BODY, named_action("voice_call", { fields = {
    { "display_text", type = "string", min = 1, max = 20 },
    { "ttl_minutes", type = "integer", from = 1, to = 43200 },
    { "payload", type = "string", max = 512 } } }) },
  call_permission_request = kind { OPTIONAL_BODY, named_action("call_permission_request") },
  request_contact_info = kind { BODY, named_action("request_contact_info") },
  carousel = kind { BODY, action_rule({ { "cards", type = "array", required = true, min = 2, max = 10,
    each = card, check = check_cards } }) },
  order_details = kind { header_rule({ "image" }, false), BODY, FOOTER,
    named_action("review_and_pay", payment_rules.details, true) },
  order_status = kind { BODY, FOOTER, named_action("review_order", payment_rules.status, true) },
}
