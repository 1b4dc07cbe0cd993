-- The settings of a business phone number: conversational components, commerce and calling settings, QR codes
-- (cloud.md, sections 8.5 to 8.8 and 11.4).

local core = require "waba.core"

local responses = require("waba.emulator.responses").cloud
local json = require "waba.emulator.json"
local message_rules = require "waba.emulator.message_rules"
local random = require "waba.emulator.random"
local rules = require "waba.emulator.rules"

local settings = {}

local absent = rules.absent
local required, text, object, list, choice, some_text = message_rules.constructors()

local MOST_CODES = 2000

function settings.new()
  return { automation = { enable_welcome_message = false, prompts = {}, commands = {} },
    commerce = { is_cart_enabled = true, is_catalog_visible = false },
    calling = { status = "DISABLED", call_icon_visibility = "DEFAULT" }, codes = {} }
end

-- Conversational components -----------------------------------------------------------------------

local AUTOMATION = object({
  enable_welcome_message = { is = "boolean" }, prompts = list(text(1, 80, "no_emoji"), 0, 4),
  commands = list(object({ command_name = required(text(1, 32, "no_emoji")),
    command_description = required(text(1, 256, "no_emoji")) }), 0, 30),
})

local function get_automation(gateway)
  local automation = gateway.settings.automation
  return responses.json(200, { id = gateway.options.phone_number_id, conversational_automation = {
    enable_welcome_message = automation.enable_welcome_message, prompts = json.array(automation.prompts),
    commands = json.array(automation.commands) } })
end

-- Clears absent fields.
local function set_automation(gateway, _, body)
  gateway.settings.automation = { enable_welcome_message = body.enable_welcome_message == true,
    prompts = not absent(body.prompts) and body.prompts or {},
    commands = not absent(body.commands) and body.commands or {} }
  return responses.success()
end

-- Commerce settings -------------------------------------------------------------------------------

local function get_commerce(gateway)
  gateway.settings.commerce.id = gateway.options.phone_number_id
  return responses.json(200, { data = { gateway.settings.commerce } })
end

local SWITCH = { ["true"] = true, ["false"] = false, ["1"] = true, ["0"] = false }

local function set_commerce(gateway, request)
  local commerce, changed = gateway.settings.commerce, {}
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
  for name, value in pairs(changed) do commerce[name] = value end
  return responses.success()
end

-- Calling settings --------------------------------------------------------------------------------

local SWITCHED = choice "ENABLED DISABLED"

local CALLING = object({ calling = required(object({
  status = SWITCHED, call_icon_visibility = some_text, call_hours = { is = "object" },
  callback_permission_status = some_text, video = object({ status = SWITCHED }),
  sip = object({ status = SWITCHED, servers = list(object({ hostname = required(some_text),
    port = { is = "integer", range = { 1, 65535 } } })) }),
})) })

local function get_calling(gateway) return responses.json(200, { calling = gateway.settings.calling }) end

-- Fields that are missing in the request keep their values.
local function set_calling(gateway, _, body)
  for name, value in pairs(body.calling) do
    gateway.settings.calling[name] = not absent(value) and value or nil
  end
  return responses.success()
end

-- QR codes ----------------------------------------------------------------------------------------

local CODE = object({ prefilled_message = required(text(1, 140)), generate_qr_image = choice "PNG SVG",
  code = some_text })

local function find(gateway, code)
  for i, entry in ipairs(gateway.settings.codes) do
    if entry.code == code then return i, entry end
  end
end

local function no_such_code(code)
  return responses.error("invalid_parameter", ("code: there is no QR code %s of this phone number"):format(code))
end

local function set_code(gateway, _, body)
  local codes, entry = gateway.settings.codes
  if absent(body.code) then
    if #codes >= MOST_CODES then
      return responses.error("invalid_parameter", ("the phone number has %d QR codes, the maximum: delete one first")
        :format(MOST_CODES))
    end
    local code = random.letters(14):upper():gsub("[^%u2-7]", "A")
    entry = { code = code, deep_link_url = "https://wa.me/message/" .. code }
    codes[#codes + 1] = entry
  else
    entry = select(2, find(gateway, body.code))
    if not entry then return no_such_code(body.code) end
  end
  entry.prefilled_message = body.prefilled_message
  if not absent(body.generate_qr_image) then
    entry.qr_image_url = ("https://scontent.xx.fbcdn.net/qr/%s.%s"):format(core.percent_encode(entry.code),
      body.generate_qr_image:lower())
  end
  return responses.json(200, entry)
end

local function list_codes(gateway, request)
  return responses.page(gateway, request, gateway.settings.codes, 100)
end

local function get_code(gateway, request)
  local _, entry = find(gateway, request.segments[2])
  return responses.json(200, { data = json.array({ entry }) })
end

local function delete_code(gateway, request)
  local place = find(gateway, request.segments[2])
  if not place then return no_such_code(request.segments[2]) end
  table.remove(gateway.settings.codes, place)
  return responses.success()
end

settings.routes = {
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

return settings
