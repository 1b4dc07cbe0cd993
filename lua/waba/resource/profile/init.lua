-- The public profile of the phone number: the about text, the business profile and the photo. The modules
-- waba.hosting.<name>.profile convert requests and responses for each hosting.

local outcome = require "waba.resource.outcome"
local values = require "waba.hosting.values"
local errors = require "waba.errors"
local hosting = require "waba.hosting"
local option = require "waba.option"
local photo = require "waba.resource.profile.photo"
local validate = require("waba.schema").validate

---@class waba.ProfileResource
local Profile = {}

function Profile:__init()
  self.forms = hosting.part(self.client.hosting, "profile")
  self.media = hosting.part(self.client.hosting, "media")
end

--- Returns the about text: GET /v1/settings/profile/about; GET /whatsapp_business_profile.
---@return string|nil text  "" if there is no text
---@return waba.Error? err
function Profile:about()
  return outcome.fetch(self.client, "get_about", nil, function(text) return values.some_text(text) or "" end)
end

--- Sets the about text: PATCH /v1/settings/profile/about; POST /whatsapp_business_profile.
---@param text string  at most 139 characters
---@return true|nil
---@return waba.Error? err
function Profile:set_about(text)
  if type(text) ~= "string" then
    error("client.profile:set_about: the text must be a string, not a " .. type(text), 2)
  end
  local body = self.forms.encode_about(text)
  local valid, err = validate(self.client.validate, self.forms.about, body)
  if not valid then return nil, err end
  return outcome.success(self.client:call("set_about", { json = body }))
end

--- The business profile. A field that is not set is nil.
---@options waba.BusinessProfile
local BUSINESS = {
  address = "string",     -- at most 256 characters
  description = "string", -- at most 512 characters
  email = "string",       -- at most 128 characters
  vertical = "string",    -- the industry. On-Premise hosting: at most 128 characters, can't be cleared; Cloud hosting:
                          -- one of the platform's names, such as "RETAIL"
  websites = "string[]",  -- at most 2, each at most 256 characters, beginning with http:// or https://
}

local function read_fields(stored)
  stored = values.object(stored)
  local result, websites = {}, values.each(stored.websites, values.some_text)
  for _, name in ipairs { "address", "description", "email", "vertical" } do
    result[name] = values.some_text(stored[name])
  end
  if #websites > 0 then result.websites = websites end
  return result
end

--- Returns the business profile: GET /v1/settings/business/profile; GET /whatsapp_business_profile.
---@return waba.BusinessProfile|nil
---@return waba.Error? err
function Profile:business()
  return outcome.fetch(self.client, "get_business", nil, read_fields)
end

local EMAIL = "^[^%s@<>,;\"]+@[^%s@<>,;\".]+%.[^%s@<>,;\"]*[^%s@<>,;\".]$"

local function check_business(self, fields)
  local valid, err = validate(self.client.validate, self.forms.business, fields)
  if not valid then return nil, err end
  if self.client.validate and fields.email and fields.email ~= "" and not fields.email:find(EMAIL) then
    return nil, errors.invalid("email", "email is not an e-mail address: expected an address such as info@shop.example")
  end
  return true
end

--- Sets the passed fields of the business profile and keeps the other fields: GET and POST
--- /v1/settings/business/profile; GET and POST /whatsapp_business_profile. On On-Premise hosting, the gateway clears
--- missing fields, so the request contains all fields. If two programs call this function at the same time, one of the
--- changes is lost.
---@param fields waba.BusinessProfile  an empty string clears a field, an empty list clears `websites`
---@return waba.BusinessProfile|nil stored  the complete profile after the change
---@return waba.Error? err
function Profile:set_business(fields)
  option.check(fields, BUSINESS, "client.profile:set_business")
  if fields == nil or next(fields) == nil then
    error("client.profile:set_business: at least one field is needed, such as address", 2)
  end
  local valid, err = check_business(self, fields)
  if not valid then return nil, err end
  local stored, written
  stored, err = self:business()
  if not stored then return nil, err end
  written, err = outcome.success(self.client:call("set_business", self.forms.encode_business(fields, stored)))
  if not written then return nil, err end
  for name, value in pairs(fields) do stored[name] = value end
  return read_fields(stored)
end

Profile.photo = photo.get
Profile.set_photo = photo.set

return Profile
