-- The rule of a message's `template` (cloud.md, sections 2.18 and 11.3): its form, without the template it names.

local content = require "waba.emulator.cloud.content_rules"
local payment_rules = require "waba.emulator.cloud.payment_rules"
local walker = require "waba.emulator.cloud.walker"

local fault, absent = walker.fault, walker.absent

-- A parameter's text stands within a line.
local function one_line(value, path)
  if value:find("[\n\t]") or value:find("     ", 1, true) then
    return fault(132018, "%s must not contain newlines, tabs or more than four spaces in a row", path)
  end
end

local FALLBACK = { "fallback_value", type = "string", required = true, min = 1 }

local PARAMETER_TYPES = { "text", "currency", "date_time", "image", "video", "document", "gif", "location", "product",
  "payload", "coupon_code", "action", "limited_time_offer", "tap_target_configuration", "ttl_minutes" }

local THUMBNAIL = { "thumbnail_product_retailer_id", type = "string", min = 1 }

local sections = content.product_sections()
sections.required = false

local gif = content.media_rule("video", false)
gif[1] = "gif"

local parameter = { type = "object", check = content.one_of(PARAMETER_TYPES), fields = {
  { "type", type = "string", required = true, values = PARAMETER_TYPES },
  { "parameter_name", type = "string", pattern = "^[a-z_][a-z0-9_]*$", says = "a name in lower case" },
  { "text", type = "string", min = 1, empty = 131008, check = one_line },
  { "currency", type = "object", fields = { FALLBACK,
    { "code", type = "string", required = true, pattern = "^%u%u%u$", says = "a currency code of three letters" },
    { "amount_1000", type = "integer", required = true } } },
  { "date_time", type = "object", fields = { FALLBACK }, extra = { calendar = true, day_of_week = true, year = true,
    month = true, day_of_month = true, hour = true, minute = true, timestamp = true } },
  content.media_rule("image", false), content.media_rule("video", false),
  content.media_rule("document", false, "filename"), gif,
  content.location_rule(true),
  { "product", type = "object", fields = { { "catalog_id", type = "string", min = 1 },
    { "product_retailer_id", type = "string", required = true, min = 1 } } },
  { "payload", type = "string", min = 1, max = 256 },
  { "coupon_code", type = "string", min = 1, max = 15, pattern = "^%w+$", says = "letters and digits" },
  { "action", type = "object", fields = {
    { "flow_token", type = "string" }, { "flow_action_data", type = "object" }, THUMBNAIL, sections,
    { "order_details", type = "object", fields = payment_rules.details.fields,
      check = payment_rules.details.check },
    { "payment_request", type = "object", fields = { payment_rules.request_setting } } } },
  { "limited_time_offer", type = "object", fields = {
    { "expiration_time_ms", type = "integer", required = true, from = 1, to = 1e14 } } },
  { "tap_target_configuration", type = "array", min = 1, each = { type = "object", fields = {
    { "url", type = "string", required = true, check = content.web_address },
    { "title", type = "string", required = true, min = 1 } } } },
  { "ttl_minutes", type = "integer", from = 1, to = 43200 },
} }

-- Which parameters stand in which component, and how many.
local PLACES = {
  header = { most = 1, text = true, image = true, video = true, document = true, gif = true, location = true,
    product = true },
  body = { text = true, currency = true, date_time = true },
  limited_time_offer = { most = 1, limited_time_offer = true },
  tap_target_configuration = { most = 1, tap_target_configuration = true },
  quick_reply = { most = 1, payload = true },
  url = { most = 1, text = true },
  copy_code = { most = 1, coupon_code = true },
  flow = { most = 1, action = true },
  catalog = { most = 1, action = true },
  mpm = { most = 1, action = true },
  order_details = { most = 1, action = true },
  payment_request = { most = 1, action = true },
  voice_call = { most = 2, ttl_minutes = true, payload = true },
}

local SUB_TYPES = { "quick_reply", "url", "copy_code", "flow", "catalog", "mpm", "voice_call", "order_details",
  "payment_request" }

-- Payment requests of one message.
local MOST_REQUESTS = 3

local function check_parameters(parameters, path, place)
  local allowed = PLACES[place]
  if allowed.most and #parameters > allowed.most then
    return fault(132000, "%s has %d elements, a %s takes %d", path, #parameters, place, allowed.most)
  end
  for i, one in ipairs(parameters) do
    if not allowed[one.type] then
      return fault(132012, "%s[%d] is of type %s, which a %s does not take", path, i - 1, one.type, place)
    elseif one.type == "product" and absent(one.product.catalog_id) then
      return fault(131008, "%s[%d].product.catalog_id is required", path, i - 1)
    elseif place == "payment_request" and absent(one.action.payment_request) then
      return fault(131008, "%s[%d].action.payment_request is required", path, i - 1)
    end
  end
end

-- Types of components and of their buttons are written in lower or in upper case.
local function check_component(value, path)
  local place = value.type:lower()
  if place == "carousel" then
    return absent(value.cards) and fault(131008, "%s.cards is required", path) or nil
  elseif place == "button" then
    for _, name in ipairs({ "sub_type", "index" }) do
      if absent(value[name]) then
        return fault(131008, "%s.%s is required for a button", path, name)
      end
    end
    place = value.sub_type:lower()
  elseif not absent(value.sub_type) or not absent(value.index) or not absent(value.cards) then
    return fault(100, "%s: sub_type and index belong to a button, cards to a carousel", path)
  end
  return check_parameters(absent(value.parameters) and {} or value.parameters, path .. ".parameters", place)
end

local function button_index(value, path)
  local number = tonumber(value)
  if not number or number % 1 ~= 0 or number < 0 or number > 9 then
    return fault(131009, "%s must be the position of a button, 0 to 9", path)
  end
end

-- Each component once; each button once.
local function once_each(value, path)
  local seen, requests = {}, 0
  for i, one in ipairs(value) do
    local kind = one.type:lower()
    local key = kind == "button" and "button " .. tonumber(one.index) or kind
    if seen[key] then return fault(131009, "%s[%d] repeats the %s", path, i - 1, key) end
    seen[key] = true
    requests = requests + (kind == "button" and one.sub_type:lower() == "payment_request" and 1 or 0)
  end
  if requests > MOST_REQUESTS then
    return fault(131009, "%s has %d payment requests, at most %d are allowed", path, requests, MOST_REQUESTS)
  end
end

local TYPES = { "header", "body", "button", "limited_time_offer", "tap_target_configuration", "carousel" }

local function component_rule(types)
  return { type = "object", check = check_component, fields = {
    { "type", type = "string", required = true, values = types, either_case = true },
    { "sub_type", type = "string", values = SUB_TYPES, either_case = true },
    { "index", type = "integer|string", check = button_index },
    { "parameters", type = "array", each = parameter },
  } }
end

local component = component_rule(TYPES)
table.insert(component.fields, { "cards", type = "array", min = 1, max = 10, each = { type = "object", fields = {
  { "card_index", type = "integer", required = true, from = 0, to = 9 },
  { "components", type = "array", required = true, min = 1, each = component_rule({ "header", "body", "button" }),
    check = once_each },
} } })

return { "template", type = "object", required = true, extra = { namespace = true }, fields = {
  { "name", type = "string", required = true, min = 1, max = 512, pattern = "^[a-z0-9_]+$",
    says = "a name of lower-case letters, digits and underscores" },
  { "language", type = "object", required = true, fields = {
    { "code", type = "string", required = true, pattern = "^%l%l%l?[_%w]*$", says = "a language code" },
    { "policy", type = "string", values = { "deterministic" } },
  } },
  { "components", type = "array", each = component, check = once_each },
} }
