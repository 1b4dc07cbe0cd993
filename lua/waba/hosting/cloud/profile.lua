-- The profile on the Cloud gateway (cloud.md, section 8.3): the rules, the requests and the responses. Lengths are
-- characters.

local business_profile = require "waba.hosting.business_profile"
local json_body = require "waba.hosting.json_body"
local values = require "waba.hosting.values"

local profile = {}

---@type waba.Rule
profile.about = {
  is = "object",
  fields = {
    messaging_product = {},
    about = { is = "string", characters = { 1, 139 }, format = "no_markup" },
  },
}

-- The values that can be written. The gateway may return values that are not in this list.
local VERTICALS = {
  "", "OTHER", "AUTO", "BEAUTY", "APPAREL", "EDU", "ENTERTAIN", "EVENT_PLAN", "FINANCE", "GROCERY", "GOVT", "HOTEL",
  "HEALTH", "NONPROFIT", "PROF_SERVICES", "RETAIL", "TRAVEL", "RESTAURANT", "ALCOHOL", "ONLINE_GAMBLING",
  "PHYSICAL_GAMBLING", "OTC_DRUGS",
}

---@type waba.Rule
profile.business = business_profile { is = "string", inferred = { one_of = VERTICALS } }

-- Returns the profile's fields from a response. The platform documents two places: `data[1]`, and the field
-- `business_profile` of `data[1]`.
local function fields_of(json)
  local first = values.dig(json, "data", 1)
  return values.object(values.dig(first, "business_profile") or first)
end

function profile.read_about(json)
  return values.some_text(fields_of(json).about) or ""
end

---@return table body  the rule `profile.about` checks this body
function profile.encode_about(about)
  return { messaging_product = "whatsapp", about = about }
end

profile.find_business = fields_of

--- Writes only the changed fields, because the gateway keeps the others.
function profile.encode_business(fields)
  local body = { messaging_product = "whatsapp" }
  for name, value in pairs(fields) do body[name] = value end
  return json_body(body, { "websites" })
end

function profile.read_photo_link(json)
  return values.some_text(fields_of(json).profile_picture_url)
end

--- Writes the body that sets the photo.
function profile.encode_photo(handle)
  return { messaging_product = "whatsapp", profile_picture_handle = handle }
end

return profile
