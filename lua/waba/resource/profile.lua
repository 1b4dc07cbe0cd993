-- What customers see of the number: the about text, the business profile and the photo. These are
-- the only settings that 360dialog leaves open.

local core = require "waba.core"
local errors = require "waba.errors"
local mime = require "waba.mime"
local options = require "waba.options"
local digest = require "waba.resource.digest"
local download = require "waba.resource.download"
local upload = require "waba.resource.upload"
local validate = require "waba.resource.validate"

---@class waba.ProfileResource
local Profile = {}
Profile.__index = Profile
Profile.__name = "waba.ProfileResource"

local profile = {}

---@param client waba.Client
function profile.new(client)
  local hosting = "waba.hosting." .. client.hosting.name
  return setmetatable({
    client = client, rules = require(hosting .. ".profile"), media_rules = require(hosting .. ".media"),
  }, Profile)
end

-- What lies under some names of an answer, or nil.
local function dig(json, ...)
  for i = 1, select("#", ...) do
    if type(json) ~= "table" then return nil end
    json = json[select(i, ...)]
  end
  if json ~= core.null then return json end
end

--- The text beside the number: GET /v1/settings/profile/about.
---@return string|nil text  "" when there is none
---@return waba.Error? err
function Profile:about()
  local json, err = self.client:call(self.client.hosting.endpoints.get_about, {})
  if json == nil then
    if err.kind == "not_found" then return "" end
    return nil, err
  end
  local text = dig(json, "settings", "profile", "about", "text")
  return type(text) == "string" and text or ""
end

--- Sets the text beside the number: PATCH /v1/settings/profile/about.
---@param text string  at most 139 characters
---@return true|nil
---@return waba.Error? err
function Profile:set_about(text)
  if type(text) ~= "string" then
    error("client.profile:set_about: the text must be a string, not a " .. type(text), 2)
  end
  local body = { text = text }
  local valid, fault = validate(self.client, self.rules.about, body)
  if not valid then return nil, fault end
  local json, err = self.client:call(self.client.hosting.endpoints.set_about, { json = body })
  if json == nil then return nil, err end
  return true
end

--- What a business tells of itself. A field that is not set is nil.
---@class waba.BusinessProfile
---@field address string?      at most 256 characters
---@field description string?  at most 512
---@field email string?        at most 128
---@field vertical string?     the trade, at most 128; it can't become empty again
---@field websites string[]?   at most 2, each at most 256 characters, with http:// or https://

local function read_business(json)
  local stored = dig(json, "settings", "business", "profile")
  if type(stored) == "table" and type(stored[1]) == "table" then stored = stored[1] end
  local result = {}
  if type(stored) ~= "table" then return result end
  for _, name in ipairs { "address", "description", "email", "vertical" } do
    if type(stored[name]) == "string" and stored[name] ~= "" then result[name] = stored[name] end
  end
  local websites = {}
  for _, url in ipairs(type(stored.websites) == "table" and stored.websites or {}) do
    if type(url) == "string" and url ~= "" then websites[#websites + 1] = url end
  end
  if #websites > 0 then result.websites = websites end
  return result
end

--- The business profile: GET /v1/settings/business/profile.
---@return waba.BusinessProfile|nil
---@return waba.Error? err
function Profile:business()
  local json, err = self.client:call(self.client.hosting.endpoints.get_business, {})
  if json == nil then
    if err.kind == "not_found" then return {} end
    return nil, err
  end
  return read_business(json)
end

local KNOWN_BUSINESS = {
  address = "string", description = "string", email = "string", vertical = "string", websites = "table",
}

local function is_email(text)
  return text:find("^[^%s@<>,;\"]+@[^%s@<>,;\".]+%.[^%s@<>,;\"]*[^%s@<>,;\".]$") ~= nil
end

local function check_business(self, given)
  local valid, err = validate(self.client, self.rules.business, given)
  if not valid then return nil, err end
  if self.client.validate and given.email and given.email ~= "" and not is_email(given.email) then
    return nil, errors.invalid("email", "email is no e-mail address, such as info@shop.example")
  end
  return true
end

--- Sets fields of the business profile and keeps the others: reads the profile, then writes the whole
--- of it, for the gateway clears what it is not told (GET and POST /v1/settings/business/profile).
--- Of two that do this at the same time, the later one wins.
---@param given waba.BusinessProfile  "" (or {} for websites) clears a field
---@return waba.BusinessProfile|nil stored  the whole profile, as it was written
---@return waba.Error? err
function Profile:set_business(given)
  options.check(given, KNOWN_BUSINESS, "client.profile:set_business")
  if given == nil or next(given) == nil then
    error("client.profile:set_business: at least one field is needed", 2)
  end
  local valid, err = check_business(self, given)
  if not valid then return nil, err end
  local stored, json
  stored, err = self:business()
  if not stored then return nil, err end
  local body = {}
  for _, name in ipairs(self.rules.fields) do
    local value = given[name]
    if value == nil then value = stored[name] end
    -- an empty list can't be told from an empty object; a field that is left out is cleared
    if type(value) == "table" and value[1] == nil then value = nil end
    body[name] = value
  end
  json, err = self.client:call(self.client.hosting.endpoints.set_business, { json = body })
  if json == nil then return nil, err end
  return read_business { settings = { business = { profile = body } } }
end

-- Photo -------------------------------------------------------------------------------------------

--- How the photo is asked for.
---@class waba.PhotoOptions
---@field link? boolean     only the address of a small picture
---@field file? string      path; written as a download is
---@field sink? fun(bytes: string)
---@field timeout? number   seconds; ten times the client's by default
local KNOWN_PHOTO = { link = "boolean", file = "string", sink = "function", timeout = "number" }

local KNOWN_SET_PHOTO = {
  file = "string", data = "string", type = "string", progress = "function", timeout = "number",
}

local function no_photo(response)
  return errors.new { kind = "not_found", status = response.status, message = "the number has no photo" }
end

local function photo_link(client)
  local json, response = client:call(client.hosting.endpoints.get_photo_link, { query = { format = "link" } })
  if json == nil then return nil, response end
  local link = dig(json, "settings", "profile", "photo", "link")
  if type(link) ~= "string" or link == "" then return nil, no_photo(response) end
  return { link = link }
end

-- The platform speaks of base64, and sends bytes: both are understood.
local function decode_photo(bytes)
  local found = mime.of_image(bytes)
  if found then return bytes, found end
  local decoded = digest.from_base64((bytes:gsub("^%s*data:[^,]*,", "")))
  found = decoded and mime.of_image(decoded)
  if found then return decoded, found end
  return bytes
end

local function write_file(path, bytes)
  local temporary, err = download.new_file(path)
  if not temporary then return nil, err end
  local file, message = io.open(temporary, "wb")
  local written = file
  if file then
    written, message = file:write(bytes)
    local closed, fault = file:close()
    if not closed then written, message = nil, message or fault end
  end
  if not written then
    os.remove(temporary)
    return nil, errors.invalid("file", ("file %s can't be written: %s"):format(path, tostring(message)))
  end
  return download.keep(temporary, path)
end

--- The photo: GET /v1/settings/profile/photo.
---@param given? waba.PhotoOptions
---@return waba.Download|{ link: string }|nil
---@return waba.Error? err  kind "not_found" when there is none
function Profile:photo(given)
  given = options.check(given, KNOWN_PHOTO, "client.profile:photo")
  local way = download.way(given, "client.profile:photo")
  local client = self.client
  if given.link then
    if way ~= "memory" then error("client.profile:photo: option link excludes " .. way, 2) end
    return photo_link(client)
  end
  local json, response = client:call(client.hosting.endpoints.get_photo, {
    timeout = given.timeout or client.timeout * download.PATIENCE,
  })
  if json == nil then return nil, response end
  local media_type = response.headers["content-type"] or ""
  local bytes, found = decode_photo(response.body)
  if not found and (bytes == "" or media_type:find("json", 1, true)) then return nil, no_photo(response) end
  local result = { type = found or media_type, size = #bytes, sha256 = digest.of(bytes) }
  if way == "sink" then
    given.sink(bytes)
  elseif way == "file" then
    local written, err = write_file(given.file, bytes)
    if not written then return nil, err end
    result.file = given.file
  else
    result.data = bytes
  end
  return result
end

--- Sets the photo: POST /v1/settings/profile/photo. It is cropped to a square of at most 640 pixels;
--- 640 by 640 is best, below 192 it may be refused.
---@param given { file: string?, data: string?, type: string?, progress: function?, timeout: number? }
---        JPEG or PNG, at most 5 MB; the type is found by the file's name or the first bytes
---@return true|nil
---@return waba.Error? err
function Profile:set_photo(given)
  options.check(given, KNOWN_SET_PHOTO, "client.profile:set_photo")
  if not given or not (given.file or given.data) then
    error("client.profile:set_photo: one of the options file and data is required", 2)
  end
  local client = self.client
  local source, err = upload.open(given, "client.profile:set_photo", math.huge, true)
  if not source then return nil, err end
  if client.validate then
    local fine
    fine, err = self.media_rules.check_photo(source.type, source.size)
    if not fine then return nil, err end
  end
  local json
  json, err = upload.send(client, client.hosting.endpoints.set_photo, source, given)
  if json == nil then return nil, err end
  return true
end

return profile
