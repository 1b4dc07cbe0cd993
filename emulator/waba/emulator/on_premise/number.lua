-- The endpoints of the business phone number: health in three forms, the phone number itself, and the profile
-- (on-premise.md, sections 7.2 and 8).

local json = require "waba.emulator.json"
local message_rules = require "waba.emulator.message_rules"
local random = require "waba.emulator.random"
local responses = require("waba.emulator.responses").on_premise

local number = {}

local required, text, object, list = message_rules.constructors()

-- Health ------------------------------------------------------------------------------------------

local SHAPES = {
  single = {},
  high_availability = {
    { "10.1.4.11:wa-master-%s-0", "primary_master", "disconnected" },
    { "10.1.4.12:wa-master-%s-1", "secondary_master", "disconnected" },
    { "10.1.4.21:wa-core-%s-0", "coreapp", "connected" },
    { "10.1.4.22:wa-core-%s-1", "coreapp", "disconnected" },
  },
  multiconnect = {
    { "10.1.4.11:wa-master-%s-0", "primary_master", "connected" },
    { "10.1.4.21:wa-core-%s-0", "coreapp", "connected" },
    { "10.1.4.22:wa-core-%s-1", "coreapp", "connected" },
    { "10.1.4.23:wa-core-%s-2", "coreapp", "disconnected" },
  },
}

function number.new_health() return { shape = "single", status = "connected" } end

-- `nodes` in the settings has nodes that replace existing ones or are added. The keys of `nodes` are names of nodes, or
-- parts of names.
local function apply_nodes(nodes, settings)
  for name, content in pairs(settings.nodes or {}) do
    local place = name
    for full in pairs(nodes) do
      if full:find(name, 1, true) then place = full end
    end
    nodes[place] = content
  end
  return nodes
end

-- Returns the field `health` of the response, according to the settings of emulator:health.
local function health_body(settings, digits)
  if settings.errors then return { errors = settings.errors } end
  if settings.shape == "single" then
    return { health = apply_nodes({ gateway_status = settings.status or "connected" }, settings) }
  end
  local nodes = {}
  for _, node in ipairs(SHAPES[settings.shape]) do
    nodes[node[1]:format(digits)] = { role = node[2], gateway_status = settings.status or node[3] }
  end
  return { health = apply_nodes(nodes, settings) }
end

local function get_health(gateway)
  local settings = gateway.health
  local body = health_body(settings, gateway.options.number)
  if settings.meta == false then return responses.json(200, body) end
  return gateway:ok(body)
end

local function phone_number(gateway) return responses.json(200, { phone_number = gateway.options.number }) end

--- Sets the response to GET /v1/health by the settings of emulator:health. Returns true, or nil and an error message.
function number.set_health(gateway, settings)
  settings.shape = settings.shape or "single"
  if not SHAPES[settings.shape] then
    return nil, ('shape must be "single", "high_availability" or "multiconnect", not "%s"'):format(
      tostring(settings.shape))
  end
  gateway.health = settings
  return true
end

-- The profile -------------------------------------------------------------------------------------

number.MAX_PHOTO = 5 * 1024 * 1024

function number.new_profile() return { about = "Hey there! I am using WhatsApp.", business = {} } end

local function get_about(gateway)
  return gateway:ok({ settings = { profile = { about = { text = gateway.profile.about } } } })
end

local ABOUT = object({ text = required(text(1, 139)) })

local function set_about(gateway, _, body)
  gateway.profile.about = body.text
  return responses.json(200, {})
end

local function get_photo(gateway, request)
  local photo = gateway.profile.picture
  if not photo then
    return gateway:error("not_found", "there is no profile photo: expected one from POST /v1/settings/profile/photo")
  elseif request.query.format == "link" then
    return gateway:ok({ settings = { profile = { photo = { link = gateway:picture_url() } } } })
  elseif request.query.format then
    return gateway:error("parameter_invalid", "Parameter 'format' must be 'link'")
  end
  return { status = 200, body = photo.bytes, headers = { ["content-type"] = photo.type } }
end

local PHOTO_TYPES = { ["image/jpeg"] = "jpg", ["image/png"] = "png" }

local function set_photo(gateway, request)
  local mime_type = (request.headers["content-type"] or ""):lower():match("^[^;%s]+") or ""
  if request.too_large then
    return gateway:error("parameter_invalid",
      ("the photo is too large: at most %d bytes are allowed"):format(number.MAX_PHOTO), 413)
  elseif not PHOTO_TYPES[mime_type] then
    return gateway:error("parameter_invalid", "Header 'Content-Type' must be image/jpeg or image/png")
  elseif request.size == 0 then
    return gateway:error("parameter_missing", "the body with the photo's bytes is mandatory")
  end
  gateway.profile.picture = { bytes = request.body, type = mime_type,
    name = random.hex(16) .. "." .. PHOTO_TYPES[mime_type] }
  return responses.json(200, {})
end

local function delete_photo(gateway)
  gateway.profile.picture = nil
  return responses.json(200, {})
end

local function get_business(gateway)
  local business = {}
  for name, value in pairs(gateway.profile.business) do business[name] = value end
  business.websites = json.array(business.websites or {})
  return gateway:ok({ settings = { business = { profile = business } } })
end

local BUSINESS = object({ address = text(0, 256), description = text(0, 512), email = text(0, 128, "email"),
  vertical = text(0, 128), websites = list(text(0, 256, "url"), 0, 2) })

local function set_business(gateway, _, body)
  local before = gateway.profile.business
  -- The gateway clears the fields that are missing in the request, except the industry.
  local business = {}
  for name, value in pairs(body) do business[name] = value ~= json.null and value or nil end
  if business.vertical == nil or business.vertical == "" then business.vertical = before.vertical end
  gateway.profile.business = business
  return responses.json(200, {})
end

number.routes = {
  { "GET", "v1/health", get_health },
  { "GET", "v1/configs/phone_number", phone_number },
  { "GET", "v1/settings/profile/about", get_about },
  { "PATCH", "v1/settings/profile/about", set_about, ABOUT },
  { "GET", "v1/settings/profile/photo", get_photo },
  { "POST", "v1/settings/profile/photo", set_photo },
  { "DELETE", "v1/settings/profile/photo", delete_photo },
  { "GET", "v1/settings/business/profile", get_business },
  { "POST", "v1/settings/business/profile", set_business, BUSINESS },
}

return number
