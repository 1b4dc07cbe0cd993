-- The rules of the profile on the On-Premise gateway, as data (reference, section 8). Lengths are
-- characters.

local function text(most)
  return { is = "string", characters = { 0, most } }
end

local profile = {}

---@type waba.Rule
profile.about = {
  is = "object",
  fields = {
    text = { is = "string", required = true, characters = { 0, 139 }, inferred = { characters = { 1, 139 } } },
  },
}

--- The fields in the order of the documentation.
profile.fields = { "address", "description", "email", "vertical", "websites" }

---@type waba.Rule
profile.business = {
  is = "object",
  fields = {
    address = text(256),
    description = text(512),
    email = text(128),
    -- once set, it can't become empty again
    vertical = { is = "string", characters = { 1, 128 } },
    websites = { is = "list", count = { 0, 2 }, each = { is = "string", characters = { 1, 256 }, format = "url" } },
  },
}

return profile
