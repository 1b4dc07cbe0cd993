-- The endpoints of the business phone number: health, fields, business profile (cloud.md, sections 8.1 to 8.3).

local common_rules = require "waba.emulator.cloud.common_rules"
local message_rules = require "waba.emulator.message_rules"
local random = require "waba.emulator.random"
local responses = require("waba.emulator.responses").cloud
local rules = require "waba.emulator.rules"

local number = {}

local absent, new_error = rules.absent, common_rules.checker.new_error
local _, text, object, list, choice = message_rules.constructors()

-- Health ------------------------------------------------------------------------------------------

local RANK = { AVAILABLE = 1, LIMITED = 2, BLOCKED = 3 }

function number.new_health() return { entities = {}, fields = {} } end

--- Sets the response to GET /health_status: `status` of the phone number, `entities` with the fields of entities by
--- their type, and `fields` of the phone number. Returns true, or nil and an error message.
function number.set_health(gateway, settings)
  local status = settings.status
  if status and not RANK[status] then
    return nil, "status must be \"AVAILABLE\", \"LIMITED\" or \"BLOCKED\""
  end
  local entities = settings.entities or {}
  entities.PHONE_NUMBER = entities.PHONE_NUMBER or {}
  entities.PHONE_NUMBER.can_send_message = status or entities.PHONE_NUMBER.can_send_message
  gateway.health = { entities = entities, fields = settings.fields or {} }
  return true
end

-- Writes a phone number in the form of the platform: "+49 30 5550277" for "49305550277". The length of the country code
-- is a guess.
local function display(digits)
  return ("+%s %s %s"):format(digits:sub(1, 2), digits:sub(3, 4), digits:sub(5))
end

local function number_fields(gateway)
  local options = gateway.options
  local fields = { id = options.phone_number_id, display_phone_number = display(options.number),
    verified_name = options.verified_name, name_status = "APPROVED", quality_rating = "GREEN", status = "CONNECTED",
    throughput = { level = "STANDARD" }, platform_type = "CLOUD_API", code_verification_status = "VERIFIED",
    account_mode = options.sandbox and "SANDBOX" or "LIVE", is_official_business_account = false,
    country_code = "DE", whatsapp_business_manager_messaging_limit = "TIER_2K" }
  for name, value in pairs(gateway.health.fields) do fields[name] = value end
  return fields
end

local function entities_of(gateway)
  local options = gateway.options
  local entities, overall = {}, "AVAILABLE"
  for i, pair in ipairs({ { "PHONE_NUMBER", options.phone_number_id }, { "WABA", options.waba_id },
    { "BUSINESS", options.business_id }, { "APP", "80010099003" } }) do
    local entity = { entity_type = pair[1], id = pair[2], can_send_message = "AVAILABLE" }
    for name, value in pairs(gateway.health.entities[pair[1]] or {}) do entity[name] = value end
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

function number.new_profile() return { about = "Hey there! I am using WhatsApp." } end

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

local BODY = object({
  messaging_product = common_rules.PRODUCT, about = text(1, 139, "no_markup"), address = text(0, 256),
  description = text(0, 512), email = text(0, 128, "email"), profile_picture_handle = text(1),
  websites = list(text(0, 256, "url"), 0, 2), vertical = choice([[OTHER AUTO BEAUTY
    APPAREL EDU ENTERTAIN EVENT_PLAN FINANCE GROCERY GOVT HOTEL HEALTH NONPROFIT PROF_SERVICES RETAIL TRAVEL RESTAURANT
    ALCOHOL ONLINE_GAMBLING PHYSICAL_GAMBLING OTC_DRUGS]]),
})
table.insert(BODY.fields.vertical.one_of, "")

local TYPES = { ["image/jpeg"] = ".jpg", ["image/jpg"] = ".jpg", ["image/png"] = ".png" }

local function set_picture(gateway, handle)
  local kept = gateway.handles[handle]
  if not kept or not TYPES[kept.type] or kept.size > MAX_PICTURE then
    return new_error("invalid_parameter", "profile_picture_handle: expected the handle of an image of at most 5 MB")
  end
  gateway.profile.picture = { file = kept.file, type = kept.type, name = random.hex(16) .. TYPES[kept.type] }
end

local function set_profile(gateway, _, body)
  local found = not absent(body.profile_picture_handle) and set_picture(gateway, body.profile_picture_handle)
  if found then return gateway:refuse(found) end
  for name in pairs(FIELDS) do
    local value = body[name]
    if not absent(value) then
      local empty = value == "" or type(value) == "table" and #value == 0
      gateway.profile[name] = not empty and value or nil
    end
  end
  return responses.success()
end

number.routes = {
  { "GET", "health_status", get_health },
  { "GET", "v1/configs/phone_number", phone_number },
  { "GET", "whatsapp_business_profile", get_profile },
  { "POST", "whatsapp_business_profile", set_profile, BODY },
}

return number
