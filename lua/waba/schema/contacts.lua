-- The rule of contact cards on both hostings (cloud.md, section 2.6; on-premise.md, section 2.6).

local shared = require "waba.schema.shared"

local object, required, strings, with = shared.object, shared.required, shared.strings, shared.with

local home_or_work = { one_of = { "HOME", "WORK" } }

local one_more_name = { "first_name", "last_name", "middle_name", "prefix", "suffix" }

local name = required(object(with(strings(table.concat(one_more_name, " ")),
  { formatted_name = required(shared.some_text) })))

--- Returns the rule of a list of contact cards. `differences.name(names)` returns a part of the rule of the name, by which
--- one of the fields `names` is required beside formatted_name.
---@param differences { most: integer?, name: table, phone_type: waba.Rule, fields: table?, refused: table? }
return function(differences)
  local fields = {
    name = with(name, differences.name(one_more_name)),
    addresses = { is = "list", each = object(with(strings "street city state zip country", {
      country_code = { is = "string", format = "country_code" }, type = home_or_work,
    })) },
    birthday = { is = "string", format = "date" },
    emails = { is = "list", each = object { email = shared.any_text, type = home_or_work } },
    org = object(strings "company department title"),
    phones = { is = "list", each = object {
      phone = shared.any_text, type = differences.phone_type,
      wa_id = { is = "string", inferred = { format = "wa_id" } },
    } },
    urls = { is = "list", each = object { url = shared.any_text, type = home_or_work } },
  }
  return {
    is = "list", count = { 1, differences.most },
    each = object(with(fields, differences.fields or {}), { refused = differences.refused }),
  }
end
