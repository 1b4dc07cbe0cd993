-- The endpoints of the business phone number: health, fields, business profile, settings and QR codes (cloud.md,
-- sections 8 and 11.4).

local common_rules = require "waba.emulator.cloud.common_rules"
local encoding = require "waba.encoding"
local json = require "waba.emulator.json"
local message_rules = require "waba.emulator.message_rules"
local random = require "waba.emulator.random"
local responses = require("waba.emulator.responses").cloud

local number = {}

local new_error = common_rules.checker.new_error
local required, text, object, list, choice, some_text, _, with = message_rules.constructors()

local RANK = { AVAILABLE = 1, LIMITED = 2, BLOCKED = 3 }

--- Adds the initial data of a business phone number to its gateway.
function number.add_state(gateway)
  gateway.health = { entities = {}, fields = {} }
  gateway.profile = { about = "Hey there! I am using WhatsApp." }
  gateway.settings = { automation = {}, commerce = { is_cart_enabled = true, is_catalog_visible = false },
    calling = { status = "DISABLED", call_icon_visibility = "DEFAULT" }, codes = {} }
end

--- Sets the response to GET /health_status to the values in `settings`, which are waba.emulator.HealthOptions. Returns
--- nothing; or nil and an error message.
function number.set_health(gateway, settings)
  local status = settings.status
  if status and not RANK[status] then
    return nil, ('status must be "AVAILABLE", "LIMITED" or "BLOCKED", not %q'):format(tostring(status))
  end
  local entities = settings.entities or {}
  entities.PHONE_NUMBER = entities.PHONE_NUMBER or {}
  entities.PHONE_NUMBER.can_send_message = status or entities.PHONE_NUMBER.can_send_message
  gateway.health = { entities = entities, fields = settings.fields or {} }
end

-- Returns a phone number with spaces, as the platform shows it: "+49 30 5550277" for "49305550277". The country code is
-- assumed to have two digits.
local function display(digits) return ("+%s %s %s"):format(digits:sub(1, 2), digits:sub(3, 4), digits:sub(5)) end

local function number_fields(gateway)
  local options = gateway.options
  return with({ id = options.phone_number_id, display_phone_number = display(options.number),
    verified_name = options.verified_name, name_status = "APPROVED", quality_rating = "GREEN", status = "CONNECTED",
    throughput = { level = "STANDARD" }, platform_type = "CLOUD_API", code_verification_status = "VERIFIED",
    account_mode = options.sandbox and "SANDBOX" or "LIVE", is_official_business_account = false,
    country_code = "DE", whatsapp_business_manager_messaging_limit = "TIER_2K" }, gateway.health.fields)
end

local function entities_of(gateway)
  local options = gateway.options
  local entities, overall = {}, "AVAILABLE"
  for i, pair in ipairs({ { "PHONE_NUMBER", options.phone_number_id }, { "WABA", options.waba_id },
    { "BUSINESS", options.business_id }, { "APP", "80010099003" } }) do
    local entity = with({ entity_type = pair[1], id = pair[2], can_send_message = "AVAILABLE" },
      gateway.health.entities[pair[1]] or {})
    if RANK[entity.can_send_message] > RANK[overall] then overall = entity.can_send_message end
    entities[i] = entity
  end
  return entities, overall
end

local function get_health(gateway, request)
  local entities, overall = entities_of(gateway)
  local body = { health_status = { can_send_message = overall, entities = entities },
    id = gateway.options.phone_number_id }
  local known = number_fields(gateway)
  for name in responses.fields(request, "") do
    if name ~= "health_status" then
      if known[name] == nil then return responses.no_such_field(name) end
      body[name] = known[name]
    end
  end
  return responses.json(200, body)
end

local function phone_number(gateway)
  return responses.json(200, { id = gateway.options.phone_number_id,
    display_phone_number = display(gateway.options.number) })
end

-- The profile -------------------------------------------------------------------------------------

local MAX_PICTURE = 5 * 1024 * 1024

local FIELDS = message_rules.set "about address description email profile_picture_url websites vertical"

local function get_profile(gateway, request)
  local row = { messaging_product = "whatsapp" }
  for name in responses.fields(request, "about") do
    if name == "profile_picture_url" then
      row[name] = gateway.profile.picture and gateway:picture_url()
    elseif FIELDS[name] then
      row[name] = gateway.profile[name]
    elseif name ~= "messaging_product" then
      return responses.no_such_field(name)
    end
  end
  return responses.json(200, { data = { row } })
end

local PROFILE = object({
  messaging_product = common_rules.PRODUCT, about = text(1, 139, "no_markup"), address = text(0, 256),
  description = text(0, 512), email = text(0, 128, "email"), profile_picture_handle = text(1),
  websites = list(text(0, 256, "url"), 0, 2), vertical = choice([[OTHER AUTO BEAUTY
    APPAREL EDU ENTERTAIN EVENT_PLAN FINANCE GROCERY GOVT HOTEL HEALTH NONPROFIT PROF_SERVICES RETAIL TRAVEL RESTAURANT
    ALCOHOL ONLINE_GAMBLING PHYSICAL_GAMBLING OTC_DRUGS]]),
})
table.insert(PROFILE.fields.vertical.one_of, "")

local TYPES = { ["image/jpeg"] = ".jpg", ["image/jpg"] = ".jpg", ["image/png"] = ".png" }

local function set_picture(gateway, handle)
  local kept = gateway.handles[handle]
  if not kept or not TYPES[kept.type] or kept.size > MAX_PICTURE then
    return new_error("invalid_parameter", "profile_picture_handle is not the handle of an uploaded JPEG or PNG image "
      .. "of at most 5 MB")
  end
  gateway.profile.picture = { file = kept.file, type = kept.type, name = random.hex(16) .. TYPES[kept.type] }
end

local function set_profile(gateway, _, body)
  local found = body.profile_picture_handle ~= nil and set_picture(gateway, body.profile_picture_handle)
  if found then return gateway:refuse(found) end
  for name in pairs(FIELDS) do
    local value = body[name]
    if value ~= nil then
      local empty = value == "" or type(value) == "table" and #value == 0
      gateway.profile[name] = not empty and value or nil
    end
  end
  return responses.success()
end

-- Settings (cloud.md, sections 8.5 to 8.8 and 11.4) -----------------------------------------------

local AUTOMATION = object({
  enable_welcome_message = { is = "boolean" }, prompts = list(text(1, 80, "no_emoji"), 0, 4),
  commands = list(object({ command_name = required(text(1, 32, "no_emoji")),
    command_description = required(text(1, 256, "no_emoji")) }), 0, 30),
})

local function get_automation(gateway)
  local automation = gateway.settings.automation
  return responses.json(200, { id = gateway.options.phone_number_id, conversational_automation = {
    enable_welcome_message = automation.enable_welcome_message == true, prompts = json.array(automation.prompts or {}),
    commands = json.array(automation.commands or {}) } })
end

-- Clears the fields that are missing in the request.
local function set_automation(gateway, _, body)
  gateway.settings.automation = body
  return responses.success()
end

local function get_commerce(gateway)
  gateway.settings.commerce.id = gateway.options.phone_number_id
  return responses.json(200, { data = { gateway.settings.commerce } })
end

local SWITCH = { ["true"] = true, ["false"] = false, ["1"] = true, ["0"] = false }

local function set_commerce(gateway, request)
  local changed = {}
  for _, name in ipairs({ "is_cart_enabled", "is_catalog_visible" }) do
    local value = request.query[name]
    if value and SWITCH[value] == nil then
      return responses.error("invalid_parameter", ("%s must be true or false, not %s"):format(name, value))
    end
    changed[name] = SWITCH[value or ""]
  end
  if next(changed) == nil then
    return responses.error("invalid_parameter", "is_cart_enabled or is_catalog_visible is required")
  end
  gateway.settings.commerce = with(gateway.settings.commerce, changed)
  return responses.success()
end

local SWITCHED = choice "ENABLED DISABLED"

local CALLING = object({ calling = required(object({
  status = SWITCHED, call_icon_visibility = some_text, call_hours = { is = "object" },
  callback_permission_status = some_text, video = object({ status = SWITCHED }),
  sip = object({ status = SWITCHED, servers = list(object({ hostname = required(some_text),
    port = { is = "integer", range = { 1, 65535 } } })) }),
})) })

local function get_calling(gateway) return responses.json(200, { calling = gateway.settings.calling }) end

-- Keeps the values of fields that are missing in the request.
local function set_calling(gateway, _, body)
  gateway.settings.calling = with(gateway.settings.calling, body.calling)
  return responses.success()
end

local MOST_CODES = 2000

local CODE = object({ prefilled_message = required(text(1, 140)), generate_qr_image = choice "PNG SVG",
  code = some_text })

-- Returns a QR code and its position in the list, or nil.
local function find(gateway, code)
  for i, entry in ipairs(gateway.settings.codes) do
    if entry.code == code then return entry, i end
  end
end

local function no_such_code(code)
  return responses.error("invalid_parameter", ("code: there is no QR code %s of this phone number"):format(code))
end

local function set_code(gateway, _, body)
  local codes, entry = gateway.settings.codes, find(gateway, body.code)
  if body.code and not entry then
    return no_such_code(body.code)
  elseif not entry and #codes >= MOST_CODES then
    return responses.error("invalid_parameter",
      ("the phone number has %d QR codes, the maximum: delete one first"):format(MOST_CODES))
  elseif not entry then
    local code = random.letters(14):upper():gsub("[^%u2-7]", "A")
    entry = { code = code, deep_link_url = "https://wa.me/message/" .. code }
    codes[#codes + 1] = entry
  end
  entry.prefilled_message = body.prefilled_message
  if body.generate_qr_image ~= nil then
    entry.qr_image_url = ("https://scontent.xx.fbcdn.net/qr/%s.%s"):format(encoding.percent(entry.code),
      body.generate_qr_image:lower())
  end
  return responses.json(200, entry)
end

local function list_codes(gateway, request) return responses.page(gateway, request, gateway.settings.codes, 100) end

local function get_code(gateway, request)
  return responses.json(200, { data = json.array({ (find(gateway, request.segments[2])) }) })
end

local function delete_code(gateway, request)
  local _, place = find(gateway, request.segments[2])
  if not place then return no_such_code(request.segments[2]) end
  table.remove(gateway.settings.codes, place)
  return responses.success()
end

number.routes = {
  { "GET", "health_status", get_health },
  { "GET", "v1/configs/phone_number", phone_number },
  { "GET", "whatsapp_business_profile", get_profile },
  { "POST", "whatsapp_business_profile", set_profile, PROFILE },
  { "GET", "conversational_automation", get_automation },
  { "POST", "conversational_automation", set_automation, AUTOMATION },
  { "GET", "whatsapp_commerce_settings", get_commerce },
  { "POST", "whatsapp_commerce_settings", set_commerce },
  { "GET", "calling/settings", get_calling },
  { "POST", "calling/settings", set_calling, CALLING },
  { "GET", "message_qrdls", list_codes },
  { "POST", "message_qrdls", set_code, CODE },
  { "GET", "message_qrdls/*", get_code },
  { "DELETE", "message_qrdls/*", delete_code },
}

return number
