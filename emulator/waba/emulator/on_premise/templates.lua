-- Templates (on-premise.md, section 9): listing, creating, reviewing and deleting them.

local json = require "waba.emulator.json"
local message_rules = require "waba.emulator.message_rules"
local random = require "waba.emulator.random"
local responses = require("waba.emulator.responses").on_premise
local rules = require "waba.emulator.rules"
local template_store = require "waba.emulator.template_store"

local templates = {}

local required, text, object, list_of, choice = message_rules.constructors()

local Templates = template_store.class("waba.emulator.Templates")

function Templates:complete(template)
  template.id = template.id or random.hex(16)
  template.namespace = self.gateway.options.namespace
  template.status = template.status or "approved"
end

function Templates:set_status(template, status) template.status = status end

function templates.new(gateway) return template_store.new(Templates, gateway) end

-- The rules for creating a template (on-premise.md, section 9.4) ----------------------------------

-- 360dialog's gateway reports all errors of a template in one response.
local creation = rules.new(nil, {}, {
  missing = "%s: this field is required", wrong_type = "%s: must be of type %s", empty = "%s: must not be empty",
  too_long = "%s: has %d characters, at most %d are allowed", format = "%s: %s", surplus = "%s: unknown field",
  one_of = "%s: is '%s', must be one of: %s", variant = "%s: is '%s', must be one of: %s",
  range = "%s: is %s, must be from %s to %s", count = "%s: has %d elements, %s are allowed",
})

local function invalid(...) return creation.new_error(nil, ...) end

-- Checks that the variables are numbered without gaps, and that the text has at most `most` of them.
local function check_variables(content, most, path)
  local names = template_store.variables(content)
  if not template_store.are_numbered(names) then
    return invalid("%s.text: variables must be numbered {{1}}, {{2}} … without a gap", path)
  end
  if #names > most then return invalid("%s.text: has %d variables, at most %d are allowed", path, #names, most) end
end

local function is_empty(value) return value == nil or value == "" end

local function no_text(path) return invalid("%s.text: this field is required", path) end

local function check_header(component, path)
  if component.format ~= "TEXT" then
    return component.text ~= nil and invalid("%s.text: is allowed only with the format TEXT", path) or nil
  end
  if is_empty(component.text) then return no_text(path) end
  return check_variables(tostring(component.text), 1, path)
end

local function check_body(component, path, context)
  if not is_empty(component.text) then return check_variables(tostring(component.text), math.huge, path) end
  -- WhatsApp itself defines the text of an authentication template.
  return context.category ~= "AUTHENTICATION" and no_text(path) or nil
end

local function check_footer(component, path)
  return component.code_expiration_minutes == nil and is_empty(component.text) and no_text(path) or nil
end

local function check_url(value, path)
  local base = value:gsub("{{%s*1%s*}}$", "")
  if base:find "{{" then return invalid("%s: may have one variable {{1}}, at its end", path) end
  return not message_rules.fits(base, "url") and invalid("%s: must be an http:// or https:// URL", path) or nil
end

local LABEL, EXAMPLE = required(text(1, 25)), { is = "object|list" }

local BUTTON = { is = "object", by = "type", variants = {
  QUICK_REPLY = { fields = { text = LABEL } },
  URL = { fields = { text = LABEL, example = EXAMPLE,
    url = { is = "string", required = true, characters = { 1, 2000 }, check = check_url } } },
  PHONE_NUMBER = { fields = { text = LABEL, phone_number = required(text(1, 20, "phone_number")) } },
  OTP = { fields = { otp_type = required(choice "COPY_CODE ONE_TAP ZERO_TAP"), text = text(0, 25),
    autofill_text = text(0, 25), package_name = text(0, 224), signature_hash = text(0, 11) } },
} }

local COMPONENT = { is = "object", by = "type", variants = {
  HEADER = { check = check_header, fields = { format = required(choice "TEXT IMAGE VIDEO DOCUMENT LOCATION"),
    text = text(0, 60), example = EXAMPLE } },
  BODY = { check = check_body, fields = { text = text(0, 1024), example = EXAMPLE,
    add_security_recommendation = { is = "boolean" } } },
  FOOTER = { check = check_footer, fields = { text = text(0, 60, "no_variable"),
    code_expiration_minutes = { is = "integer", range = { 1, 90 } } } },
  BUTTONS = { fields = { buttons = required(list_of(BUTTON, 1, 10)) } },
} }

local CATEGORY = choice [[AUTHENTICATION MARKETING UTILITY TRANSACTIONAL OTP ACCOUNT_UPDATE PAYMENT_UPDATE
  PERSONAL_FINANCE_UPDATE SHIPPING_UPDATE RESERVATION_UPDATE ISSUE_RESOLUTION APPOINTMENT_UPDATE
  TRANSPORTATION_UPDATE TICKET_UPDATE ALERT_UPDATE AUTO_REPLY]]

-- Checks that each component occurs once, and that there is a body.
local function check_components(components, path)
  local seen = {}
  for i, component in ipairs(components) do
    local kind = type(component) == "table" and component.type or i
    if seen[kind] then return invalid("%s[%d].type: is a second %s, only one is allowed", path, i - 1, kind) end
    seen[kind] = true
  end
  return not seen.BODY and invalid("components: a BODY is required") or nil
end

local TEMPLATE = object({
  name = required(text(1, 512, "template_name")), language = required(text(1, 20, "language")),
  category = required(CATEGORY),
  components = required(list_of(COMPONENT, 0, nil, { check = check_components })),
  allow_category_change = { is = "boolean" },
})

-- Listing, creating and deleting ------------------------------------------------------------------

-- Sorts templates by fields. A "-" before the name of a field means descending order; the name "id" means the order of
-- creation.
local function sorted(list, fields)
  local places = {}
  for i, template in ipairs(list) do places[template] = i end
  table.sort(list, function(a, b)
    for _, field in ipairs(fields) do
      local name, descending = field:gsub("^%-", "")
      local left, right = tostring(a[name]), tostring(b[name])
      if name == "id" then left, right = places[a], places[b] end
      if descending == 1 then left, right = right, left end
      if left ~= right then return left < right end
    end
    return places[a] < places[b]
  end)
  return list
end

local function matches(template, filters)
  for name, wanted in pairs(filters) do
    if template[name:gsub("^business_templates%.", "")] ~= wanted then return false end
  end
  return true
end

local function read_list_query(query)
  local messages = {}
  local limit, offset = (query.limit or "1000"):match("^0*[1-9]%d*$"), (query.offset or "0"):match("^%d+$")
  if not limit then messages[#messages + 1] = "limit: must be a positive integer" end
  if not offset then messages[#messages + 1] = "offset: must be an integer" end
  local filters = {}
  if query.filters and query.filters ~= "" then
    filters = json.decode(query.filters)
    if type(filters) ~= "table" then messages[#messages + 1] = "filters: must be a JSON object" end
  end
  local sort = {}
  for field in (query.sort or "id"):gmatch("[^,%s]+") do sort[#sort + 1] = field end
  return { limit = tonumber(limit), offset = tonumber(offset), filters = filters, sort = sort }, messages
end

local function list(gateway, request)
  local query, messages = read_list_query(request.query)
  if #messages > 0 then return responses.invalid(messages) end
  local found, page = {}, {}
  for _, template in ipairs(gateway.templates.list) do
    if matches(template, query.filters) then found[#found + 1] = template end
  end
  found = sorted(found, query.sort)
  for i = query.offset + 1, math.min(#found, query.offset + query.limit) do page[#page + 1] = found[i] end
  return responses.json(200, {
    count = #page, total = #found, limit = query.limit, offset = query.offset,
    filters = query.filters, sort = json.array(query.sort), waba_templates = json.array(page),
  })
end

local function create(gateway, request)
  local self = gateway.templates
  local body, refusal = gateway:gateway_body(request)
  if not body then return refusal end
  local messages = creation:all(body, TEMPLATE, { category = body.category })
  local reason = #messages == 0 and self:name_error(body.name, body.language)
  if reason then messages[1] = "name: " .. reason end
  if #messages > 0 then return responses.invalid(messages) end
  local template = self:add({ name = body.name, language = body.language, category = body.category,
    components = body.components, status = "submitted" })
  self:schedule_review(template)
  return responses.json(200, template)
end

local function delete(gateway, request)
  local name = request.segments[4]
  if gateway.templates:remove(function(template) return template.name == name end) == 0 then
    return responses.meta(404, "Template not found")
  end
  return responses.json(200, { meta = { success = true, http_code = 200, developer_message = "Template deleted" } })
end

templates.routes = {
  { "GET", "v1/configs/templates", list },
  { "POST", "v1/configs/templates", create },
  { "DELETE", "v1/configs/templates/*", delete },
}

return templates
