-- The profile on Cloud hosting: rules and requests (cloud.md, section 8.3).

local business_profile = require "waba.hosting.business_profile"
local copy = require("waba.message.parts").copy
local json_list = require("waba.hosting.values").json_list

local profile = {}

profile.about = {
  is = "object",
  fields = { messaging_product = {}, about = { is = "string", characters = { 1, 139 }, format = "no_markup" } },
}

-- The values of `vertical` that a request may have. Responses may have other values.
profile.business = business_profile { is = "string", inferred = { one_of = {
  "", "OTHER", "AUTO", "BEAUTY", "APPAREL", "EDU", "ENTERTAIN", "EVENT_PLAN", "FINANCE", "GROCERY", "GOVT", "HOTEL",
  "HEALTH", "NONPROFIT", "PROF_SERVICES", "RETAIL", "TRAVEL", "RESTAURANT", "ALCOHOL", "ONLINE_GAMBLING",
  "PHYSICAL_GAMBLING", "OTC_DRUGS",
} } }

--- Returns a body that the rule `profile.about` checks.
function profile.encode_about(about) return { messaging_product = "whatsapp", about = about } end

--- Returns a call that sends only the changed fields. The gateway keeps the other fields.
function profile.encode_business(fields)
  local body = copy(fields)
  body.messaging_product, body.websites = "whatsapp", json_list(fields.websites)
  return { json = body }
end

--- Returns the body that sets the photo. `handle` identifies a resumable upload.
function profile.encode_photo(handle)
  return { messaging_product = "whatsapp", profile_picture_handle = handle }
end

return profile
