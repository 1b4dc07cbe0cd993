-- The profile on On-Premise hosting: rules, requests and responses (on-premise.md, section 8).

local business_profile = require "waba.hosting.business_profile"
local values = require "waba.hosting.values"

local profile = {}

profile.about = {
  is = "object",
  fields = { text = { is = "string", characters = { 0, 139 }, inferred = { characters = { 1, 139 } } } },
}

profile.business = business_profile { is = "string", characters = { 1, 128 } }

function profile.read_about(json)
  return values.some_text(values.dig(json, "settings", "profile", "about", "text")) or ""
end

--- Returns a body that the rule `profile.about` checks.
function profile.encode_about(about) return { text = about } end

--- Returns the business profile in the platform's form.
function profile.find_business(json)
  local stored = values.dig(json, "settings", "business", "profile")
  if type(stored) == "table" and type(stored[1]) == "table" then stored = stored[1] end
  return stored
end

--- Returns the call with the complete profile, because the gateway clears missing fields. `stored` is the present
--- profile.
function profile.encode_business(fields, stored)
  local body = {}
  for _, name in ipairs { "address", "description", "email", "vertical", "websites" } do
    local value = fields[name]
    if value == nil then value = stored[name] end
    -- the JSON encoder would write an empty list as an object, and the gateway clears a missing field anyway
    if type(value) == "table" and value[1] == nil then value = nil end
    body[name] = value
  end
  return { json = body }
end

function profile.read_photo_link(json)
  return values.some_text(values.dig(json, "settings", "profile", "photo", "link"))
end

return profile
