-- The profile (on-premise.md, section 8): about text, photo, business profile.

local answers = require "waba.emulator.on_premise.answers"
local json = require "waba.emulator.json"
local random = require "waba.emulator.random"
local walker = require "waba.emulator.on_premise.walker"

local profile = {}

-- Where the photo can be fetched without the key.
profile.PICTURES = "pictures"

profile.MAX_PHOTO = 5 * 1024 * 1024

--- A profile as a new number has it.
---@return table
function profile.new() return { about = "Hey there! I am using WhatsApp.", business = {} } end

local function get_about(gateway)
  return gateway:ok({ settings = { profile = { about = { text = gateway.profile.about } } } })
end

local ABOUT = { type = "object", fields = { { "text", type = "string", required = true, min = 1, max = 139 } } }

local function set_about(gateway, request)
  local body, refusal = gateway:json_body(request, ABOUT)
  if not body then return refusal end
  gateway.profile.about = body.text
  return answers.json(200, {})
end

local function picture(photo)
  return { status = 200, body = photo.bytes, headers = { ["content-type"] = photo.type } }
end

local function get_photo(gateway, request)
  local photo = gateway.profile.photo
  if not photo then
    return gateway:error(1006, "there is no profile photo")
  elseif request.query.format == "link" then
    return gateway:ok({ settings = { profile = { photo = {
      link = ("%s/%s/%s"):format(gateway.url, profile.PICTURES, photo.name) } } } })
  elseif request.query.format then
    return gateway:error(1009, "Parameter 'format' must be 'link'")
  end
  return picture(photo)
end

local PHOTO_TYPES = { ["image/jpeg"] = "jpg", ["image/png"] = "png" }

local function set_photo(gateway, request)
  local mime_type = (request.headers["content-type"] or ""):lower():match("^[^;%s]+") or ""
  if request.too_large then
    return gateway:error(1009, ("the photo is larger than %d bytes"):format(profile.MAX_PHOTO), 413)
  elseif not PHOTO_TYPES[mime_type] then
    return gateway:error(1009, "Header 'Content-Type' must be image/jpeg or image/png")
  elseif request.size == 0 then
    return gateway:error(1008, "the body with the photo's bytes is mandatory")
  end
  gateway.profile.photo = { bytes = request.body, type = mime_type,
    name = random.hex(16) .. "." .. PHOTO_TYPES[mime_type] }
  return answers.json(200, {})
end

local function delete_photo(gateway)
  gateway.profile.photo = nil
  return answers.json(200, {})
end

--- Answers GET /pictures/{name}, which needs no key.
---@param gateway table
---@param name string|nil
---@return waba.emulator.Answer
function profile.picture(gateway, name)
  local photo = gateway.profile.photo
  if not photo or photo.name ~= name then return answers.meta(404, "No such picture") end
  return picture(photo)
end

local function get_business(gateway)
  local business = {}
  for name, value in pairs(gateway.profile.business) do business[name] = value end
  business.websites = json.array(business.websites or {})
  return gateway:ok({ settings = { business = { profile = business } } })
end

local function email(value, path)
  if value ~= "" and not value:find("^[^%s@]+@[^%s@]+%.[^%s@]+$") then
    return walker.fault(1009, "Parameter '%s' must be an e-mail address", path)
  end
end

local BUSINESS = { type = "object", fields = {
  { "address", type = "string", max = 256 },
  { "description", type = "string", max = 512 },
  { "email", type = "string", max = 128, check = email },
  { "vertical", type = "string", max = 128 },
  { "websites", type = "array", max = 2, each = { type = "string", max = 256,
    pattern = "^[hH][tT][tT][pP][sS]?://[^%s]+$", says = "a URL with http:// or https://" } },
} }

local function set_business(gateway, request)
  local body, refusal = gateway:json_body(request, BUSINESS)
  if not body then return refusal end
  local before = gateway.profile.business
  -- What is not given is cleared; the industry can't be.
  local business = {}
  for _, field in ipairs(BUSINESS.fields) do
    local value = body[field[1]]
    if not walker.absent(value) then business[field[1]] = value end
  end
  if business.vertical == nil or business.vertical == "" then
    business.vertical = before.vertical
  end
  gateway.profile.business = business
  return answers.json(200, {})
end

--- Adds the routes of this section.
---@param route fun(method: string, path: string, handler: function)
function profile.routes(route)
  route("GET", "v1/settings/profile/about", get_about)
  route("PATCH", "v1/settings/profile/about", set_about)
  route("GET", "v1/settings/profile/photo", get_photo)
  route("POST", "v1/settings/profile/photo", set_photo)
  route("DELETE", "v1/settings/profile/photo", delete_photo)
  route("GET", "v1/settings/business/profile", get_business)
  route("POST", "v1/settings/business/profile", set_business)
end

return profile
