-- The rule of contact cards on both hostings (cloud.md, section 2.6; on-premise.md, section 2.6).

local shared = require "waba.schema.shared"

local any_text, object, required, some_text = shared.any_text, shared.object, shared.required, shared.some_text

local home_or_work = { one_of = { "HOME", "WORK" } }

local name = required(object {
  formatted_name = required(some_text),
  first_name = any_text,
  last_name = any_text,
  middle_name = any_text,
  prefix = any_text,
  suffix = any_text,
})

local wa_id = { is = "string", inferred = { format = "wa_id" } }

local one_more_name = { "first_name", "last_name", "middle_name", "prefix", "suffix" }

local address = object {
  street = any_text,
  city = any_text,
  state = any_text,
  zip = any_text,
  country = any_text,
  country_code = { is = "string", format = "country_code" },
  type = home_or_work,
}

--- The rule of contact cards.
---@param differences { most: integer?, name: table, phone_type: waba.Rule, fields: table?, refused: table? }
---  `name(names)` returns a rule about a contact's name: besides the formatted name, at least one of the given
--- parts is required
---@return waba.Rule
local function contacts(differences)
  local fields = {
    name = shared.with(name, differences.name(one_more_name)),
    addresses = { is = "list", each = address },
    birthday = { is = "string", format = "date" },
    emails = { is = "list", each = object { email = any_text, type = home_or_work } },
    org = object { company = any_text, department = any_text, title = any_text },
    phones = { is = "list", each = object { phone = any_text, type = differences.phone_type, wa_id = wa_id } },
    urls = { is = "list", each = object { url = any_text, type = home_or_work } },
  }
  return {
    is = "list",
    count = { 1, differences.most },
    each = object(shared.with(fields, differences.fields or {}), { refused = differences.refused }),
  }
end

return contacts
