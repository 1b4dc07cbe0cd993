-- The profile on On-Premise hosting: rules and requests (on-premise.md, section 8).

local business_profile = require "waba.hosting.business_profile"

local profile = {}

profile.about = {
  is = "object",
  fields = { text = { is = "string", characters = { 0, 139 }, inferred = { characters = { 1, 139 } } } },
}

profile.business = business_profile { is = "string", characters = { 1, 128 } }

--- Returns a body that the rule `profile.about` checks.
function profile.encode_about(about) return { text = about } end

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

return profile
