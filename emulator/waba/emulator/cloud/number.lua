-- The endpoints of the business phone number: health, fields, business profile, blocked customers (cloud.md, sections
-- 8.1 to 8.4).

local common_rules = require "waba.emulator.cloud.common_rules"
local contacts = require "waba.emulator.contacts"
local json = require "waba.emulator.json"
local message_rules = require "waba.emulator.message_rules"
local random = require "waba.emulator.random"
local responses = require("waba.emulator.responses").cloud
local rules = require "waba.emulator.rules"

local number = {}

local absent, new_error = rules.absent, common_rules.checker.new_error
local required, text, object, list, choice = message_rules.constructors()

-- Health ------------------------------------------------------------------------------------------

local RANK = { AVAILABLE = 1, LIMITED = 2, BLOCKED = 3 }

function number.new_health() return { entities = {}, fields = {} } end

--- Sets the response to GET /health_status: `status` of the phone number, `entities` with the fields of entities by
--- their type, and `fields` of the phone number. Returns true, or nil and an error message.
function number.set_health(gateway, settings)
  local status = settings.status
  if status and not RANK[status] then
    return nil, ('status must be "AVAILABLE", "LIMITED" or "BLOCKED", not %q'):format(tostring(status))
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

-- The list of blocked customers -------------------------------------------------------------------

-- The largest number of users in the list, and in one request.
local MOST_BLOCKED, MOST_AT_ONCE = 64000, 1000

local BLOCK = object({
  messaging_product = common_rules.PRODUCT,
  block_users = required(list(object({ user = required(text(1)) }), 1, MOST_AT_ONCE)),
})

local function find_user(gateway, user)
  if user:find("^%u%u%.") then return gateway.contacts.users[user] end
  return gateway.contacts:find(user)
end

-- Blocks a user. Returns the name of an error code if the user can't be blocked.
local function block_one(gateway, contact, user)
  if contacts.digits(user) == contacts.digits(gateway.options.number) then return "recipient_is_sender" end
  if not gateway.contacts:window_open(contact) then return "window_closed" end
  if #gateway.blocked >= MOST_BLOCKED then return "block_list_full" end
  if not contact.blocked then table.insert(gateway.blocked, contact) end
  contact.blocked = true
end

local function unblock_one(gateway, contact)
  contact.blocked = nil
  for i = #gateway.blocked, 1, -1 do
    if gateway.blocked[i] == contact then table.remove(gateway.blocked, i) end
  end
end

-- Returns a handler that applies a function to each user in the body of a request. `name` is the name of the response
-- field with the users that were changed.
local function user_changer(name, apply)
  return function(gateway, _, body)
    local changed, failed = {}, {}
    for _, row in ipairs(body.block_users) do
      local contact = find_user(gateway, row.user) or {}
      local entry = { input = row.user, wa_id = contact.wa_id, user_id = contact.user_id }
      local code = apply(gateway, contact, row.user)
      if code then
        local title = responses.title(code)
        entry.errors = { { code = responses.number(code), message = title, error_data = { details = title } } }
      end
      table.insert(code and failed or changed, entry)
    end
    local users = { [name] = changed[1] and changed or nil, failed_users = failed[1] and failed or nil }
    if #failed == 0 then return responses.json(200, { messaging_product = "whatsapp", block_users = users }) end
    local mixed = json.decode(responses.error("block_failed", "some users were not blocked: see failed_users").body)
    mixed.messaging_product, mixed.block_users = "whatsapp", users
    mixed.error.messaging_product = "whatsapp"
    return responses.json(400, mixed)
  end
end

local function get_blocked(gateway, request)
  local found = {}
  for i, contact in ipairs(gateway.blocked) do
    found[i] = { messaging_product = "whatsapp", wa_id = contact.wa_id, user_id = contact.user_id }
  end
  return responses.page(gateway, request, found, 1000)
end

number.routes = {
  { "GET", "health_status", get_health },
  { "GET", "v1/configs/phone_number", phone_number },
  { "GET", "whatsapp_business_profile", get_profile },
  { "POST", "whatsapp_business_profile", set_profile, PROFILE },
  { "GET", "block_users", get_blocked },
  { "POST", "block_users", user_changer("added_users", block_one), BLOCK },
  { "DELETE", "block_users", user_changer("removed_users", unblock_one), BLOCK },
}

return number
