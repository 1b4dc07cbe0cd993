-- The business profile (cloud.md, section 8.3).

local answers = require "waba.emulator.cloud.answers"
local content = require "waba.emulator.cloud.content_rules"
local random = require "waba.emulator.random"
local rules = require "waba.emulator.cloud.rules"
local walker = require "waba.emulator.cloud.walker"

local profile = {}

local fault, absent = walker.fault, walker.absent

-- Where the picture can be fetched without the key.
profile.PICTURES = "pictures"

local MAX_PICTURE = 5 * 1024 * 1024

--- A profile as a new number has it.
---@return table
function profile.new() return { about = "Hey there! I am using WhatsApp." } end

local FIELDS = { "about", "address", "description", "email", "profile_picture_url", "websites", "vertical" }

local function values_of(gateway)
  local values = {}
  for _, name in ipairs(FIELDS) do values[name] = gateway.profile[name] end
  if gateway.profile.picture then
    values.profile_picture_url = ("%s/%s/%s"):format(gateway.url, profile.PICTURES, gateway.profile.picture.name)
  end
  return values
end

local function get(gateway, request)
  local values = values_of(gateway)
  local row = { messaging_product = "whatsapp" }
  for name in (request.query.fields or "about"):gmatch("[^,%s]+") do
    local known = name == "messaging_product"
    for _, field in ipairs(FIELDS) do known = known or field == name end
    if not known then
      return answers.error(100, ("Tried accessing nonexisting field (%s)"):format(name))
    end
    row[name] = row[name] or values[name]
  end
  return answers.json(200, { data = { row } })
end

local function check_email(value, path)
  if value ~= "" and not value:find("^[^%s@]+@[^%s@]+%.[^%s@]+$") then
    return fault(131009, "%s is not an e-mail address", path)
  end
end

local VERTICALS = {}
for name in ([[OTHER AUTO BEAUTY APPAREL EDU ENTERTAIN EVENT_PLAN FINANCE GROCERY GOVT HOTEL HEALTH NONPROFIT
  PROF_SERVICES RETAIL TRAVEL RESTAURANT ALCOHOL ONLINE_GAMBLING PHYSICAL_GAMBLING OTC_DRUGS]]):gmatch("%S+") do
  VERTICALS[#VERTICALS + 1] = name
end
VERTICALS[#VERTICALS + 1] = ""

local BODY = { type = "object", fields = {
  rules.PRODUCT,
  { "about", type = "string", min = 1, max = 139, check = content.no_markup },
  { "address", type = "string", max = 256 },
  { "description", type = "string", max = 512 },
  { "email", type = "string", max = 128, check = check_email },
  { "websites", type = "array", max = 2, each = { type = "string", max = 256, check = content.web_address } },
  { "vertical", type = "string", values = VERTICALS },
  { "profile_picture_handle", type = "string", min = 1 },
} }

local TYPES = { ["image/jpeg"] = ".jpg", ["image/jpg"] = ".jpg", ["image/png"] = ".png" }

local function set_picture(gateway, handle)
  local kept = gateway.handles[handle]
  if not kept or not TYPES[kept.type] or kept.size > MAX_PICTURE then
    return fault(100, "profile_picture_handle is not the handle of an image of at most 5 MB")
  end
  gateway.profile.picture = { file = kept.file, type = kept.type, name = random.hex(16) .. TYPES[kept.type] }
end

local function set(gateway, request)
  local body, refusal = gateway:json_body(request, BODY)
  if not body then return refusal end
  local found = not absent(body.profile_picture_handle) and set_picture(gateway, body.profile_picture_handle)
  if found then return gateway:refuse(found) end
  for _, name in ipairs(FIELDS) do
    local value = body[name]
    if not absent(value) then
      local empty = value == "" or type(value) == "table" and #value == 0
      gateway.profile[name] = not empty and value or nil
    end
  end
  return answers.success()
end

--- Answers GET /pictures/{name}, which needs no key.
---@param gateway table
---@param name string|nil
---@return waba.emulator.Answer
function profile.picture(gateway, name)
  local picture = gateway.profile.picture
  if not picture or picture.name ~= name then return answers.meta(404, "No such picture") end
  return { status = 200, file = picture.file, headers = { ["content-type"] = picture.type } }
end

--- Adds the routes of this section.
---@param route fun(method: string, path: string, handler: function)
function profile.routes(route)
  route("GET", "whatsapp_business_profile", get)
  route("POST", "whatsapp_business_profile", set)
end

return profile
