-- The endpoints of the business phone number: its health, its profile, and its media (on-premise.md, sections 5, 7.2
-- and 8).

local files = require "waba.emulator.files"
local json = require "waba.emulator.json"
local media_store = require "waba.emulator.media_store"
local message_rules = require "waba.emulator.message_rules"
local random = require "waba.emulator.random"
local responses = require("waba.emulator.responses").on_premise
local rules = require "waba.emulator.on_premise.message_rules"

local number = {}

local required, text, object, list = message_rules.constructors()

-- Seconds for which 360dialog keeps a file.
local RETENTION = 14 * 86400

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

--- Adds the initial data of a business phone number to its gateway.
function number.add_state(gateway)
  gateway.health = { shape = "single", status = "connected" }
  gateway.profile = { about = "Hey there! I am using WhatsApp.", business = {} }
  gateway.find_media = media_store.finder(gateway, rules.media, { unknown = "not_found", wrong = "parameter_invalid" })
  gateway.media = media_store.new(gateway, RETENTION, random.uuid)
end

-- Replaces or adds the nodes in `settings.nodes`. The keys of `settings.nodes` are names of nodes, or parts of names.
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

--- Sets the response to GET /v1/health to the values in `settings`, which are waba.emulator.HealthOptions. Returns
--- nothing; or nil and an error message.
function number.set_health(gateway, settings)
  settings.shape = settings.shape or "single"
  if not SHAPES[settings.shape] then
    return nil, ('shape must be "single", "high_availability" or "multiconnect", not "%s"'):format(
      tostring(settings.shape))
  end
  gateway.health = settings
end

-- The profile -------------------------------------------------------------------------------------

number.MAX_PHOTO = 5 * 1024 * 1024

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
  local business = gateway.profile.business
  return gateway:ok({ settings = { business = { profile = message_rules.with(business,
    { websites = json.array(business.websites or {}) }) } } })
end

local BUSINESS = object({ address = text(0, 256), description = text(0, 512), email = text(0, 128, "email"),
  vertical = text(0, 128), websites = list(text(0, 256, "url"), 0, 2) })

local function set_business(gateway, _, body)
  -- The gateway clears the fields that are missing in the request, except the industry.
  if body.vertical == nil or body.vertical == "" then body.vertical = gateway.profile.business.vertical end
  gateway.profile.business = body
  return responses.json(200, {})
end

-- Media -------------------------------------------------------------------------------------------

-- Checks an upload. Returns nil; or an error code, a message and the HTTP status.
local function upload_error(gateway, request, mime_type)
  if request.too_large then
    return "parameter_invalid", ("the file is larger than %d bytes"):format(gateway.options.max_media), 413
  elseif request.size == 0 then
    return "parameter_missing", "the body with the file's bytes is mandatory"
  elseif not mime_type or not mime_type:find("^%s*[%w!#$&^_.+-]+/[%w!#$&^_.+-]+%s*;?") then
    return "parameter_invalid", "Header 'Content-Type' must be the MIME type of the file"
  elseif mime_type:lower():find("^multipart/") then
    return "parameter_invalid", "the body must be the file's bytes, not a form"
  end
  local reason = gateway.options.strict_media and media_store.content_error(mime_type, files.read(request.file, 64))
  if reason then return "internal_error", "the file " .. reason end
end

local function upload_media(gateway, request)
  local mime_type = request.headers["content-type"]
  local code, details, status = upload_error(gateway, request, mime_type)
  if code then return gateway:error(code, details, status) end
  local kept = gateway.media:add(request.file, { type = mime_type, size = request.size, sha256 = request.sha256 })
  return gateway:ok({ media = { { id = kept.id } } }, 201)
end

local function get_media(gateway, request)
  local kept = gateway.media:get(request.segments[3])
  if not kept then return gateway:error("not_found", "Could not find the requested media") end
  return { status = 200, file = kept.file, headers = {
    ["content-type"] = kept.type,
    ["content-disposition"] = "attachment; filename=" .. kept.id,
  } }
end

local function delete_media(gateway, request)
  if not gateway.media:remove(request.segments[3]) then
    return gateway:error("not_found", "Could not find the requested media")
  end
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
  { "POST", "v1/media", upload_media },
  { "GET", "v1/media/*", get_media },
  { "DELETE", "v1/media/*", delete_media },
}

return number
