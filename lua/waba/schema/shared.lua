-- Rules that both hostings have in common, and the words in which the rules of each are written.

local shared = {}

local function text(least, most)
  return { is = "string", characters = { least, most } }
end

local function required(rule)
  local result = { required = true }
  for name, value in pairs(rule) do result[name] = value end
  return result
end

local any_text = { is = "string" }
local some_text = text(1)

shared.text, shared.required, shared.any_text, shared.some_text = text, required, any_text, some_text

-- A rule that is another one with more to say.
function shared.with(rule, more)
  local result = {}
  for name, value in pairs(rule) do result[name] = value end
  for name, value in pairs(more) do result[name] = value end
  return result
end

-- An object with these fields; `more` says what else holds.
function shared.object(fields, more)
  return shared.with({ is = "object", fields = fields }, more or {})
end

-- An object whose content stands in the field named like its type.
function shared.tagged(kind, content)
  return { is = "object", fields = { [kind] = required(content) } }
end

-- An object that has one type only.
function shared.only_variant(kind, rule)
  return { is = "object", by = "type", variants = { [kind] = rule } }
end

-- Media and contact cards --------------------------------------------------------------------------

shared.caption = text(0, 1024)

local upload = "client.media:upload { file = … }"

-- Forms in which a message's media is often given and that are invalid, with the right one.
shared.no_file = {}
for _, field in ipairs { "file", "data", "path" } do
  shared.no_file[field] = ("is not part of a message: upload the file with %s and give the id of the result, or give "
    .. "the link of a public file"):format(upload)
end
shared.media_instead = ('give { link = "https://…" }, or { id = … } with the id of %s'):format(upload)

shared.no_caption = "has no place here: this type of media has no caption"

local home_or_work = { one_of = { "HOME", "WORK" } }

local name = {
  is = "object",
  required = true,
  fields = {
    formatted_name = required(some_text),
    first_name = any_text,
    last_name = any_text,
    middle_name = any_text,
    prefix = any_text,
    suffix = any_text,
  },
}

local wa_id = { is = "string", inferred = { format = "wa_id" } }

local one_more_name = { "first_name", "last_name", "middle_name", "prefix", "suffix" }

local address = {
  is = "object",
  fields = {
    street = any_text,
    city = any_text,
    state = any_text,
    zip = any_text,
    country = any_text,
    country_code = { is = "string", format = "country_code" },
    type = home_or_work,
  },
}

--- The rule of contact cards.
---@param differences { most: integer?, name: table, phone_type: waba.Rule, fields: table?, refused: table? }
---  `name(names)` says how the name needs one part more
---@return waba.Rule
function shared.contacts(differences)
  local fields = {
    name = shared.with(name, differences.name(one_more_name)),
    addresses = { is = "list", each = address },
    birthday = { is = "string", format = "date" },
    emails = { is = "list", each = { is = "object", fields = { email = any_text, type = home_or_work } } },
    org = { is = "object", fields = { company = any_text, department = any_text, title = any_text } },
    phones = {
      is = "list",
      each = { is = "object", fields = { phone = any_text, type = differences.phone_type, wa_id = wa_id } },
    },
    urls = { is = "list", each = { is = "object", fields = { url = any_text, type = home_or_work } } },
  }
  return {
    is = "list",
    count = { 1, differences.most },
    each = shared.object(shared.with(fields, differences.fields or {}), { refused = differences.refused }),
  }
end

-- Templates ----------------------------------------------------------------------------------------

shared.template_name = { is = "string", required = true, characters = { 1, 512 }, format = "template_name" }

shared.language = {
  is = "object",
  required = true,
  fields = {
    code = required(some_text),
    policy = { one_of = { "deterministic" } }, -- On-Premise gets it put in
  },
}

shared.currency = {
  is = "object",
  required = true,
  fields = {
    fallback_value = required(some_text),
    code = { is = "string", required = true, format = "currency_code" },
    amount_1000 = { is = "integer", required = true },
  },
}

local function inferred_range(least, most)
  return { is = "integer", inferred = { range = { least, most } } }
end

shared.date_parts = {
  day_of_week = {
    one_of = { 1, 2, 3, 4, 5, 6, 7, "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY" },
    as = "1 to 7, or MONDAY to SUNDAY",
  },
  year = { is = "integer" },
  month = inferred_range(1, 12),
  day_of_month = inferred_range(1, 31),
  hour = inferred_range(0, 23),
  minute = inferred_range(0, 59),
  calendar = { one_of = { "GREGORIAN", "SOLAR_HIJRI" } },
}

-- The flat form is recalled, not read: undocumented fields are refused in the strict mode only.
shared.date_time = {
  is = "object",
  required = true,
  fields = shared.with(shared.date_parts, { fallback_value = required(some_text), timestamp = { is = "integer" } }),
  open = true,
  inferred = { open = false },
}

shared.button_index = {
  required = true,
  as = "the button's position, 0 to 9",
  one_of = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 },
}

-- A button of a template that takes these parameters.
function shared.template_button(parameter, most)
  return {
    is = "object",
    fields = { index = shared.button_index, parameters = { is = "list", count = { 1, most or 1 }, each = parameter } },
  }
end

local short_form = "belongs to the short form, which has no components"

shared.short_form, shared.short_form_names = {}, {
  "header", "body", "buttons", "otp", "cards", "limited_time_offer", "tap_target_configuration",
}
for _, field in ipairs(shared.short_form_names) do shared.short_form[field] = short_form end

shared.no_footer = { unsupported = "a template's footer takes no parameters" }

-- Interactive messages -----------------------------------------------------------------------------

shared.header_text = {
  is = "object",
  fields = { text = { is = "string", required = true, characters = { 1, 60 }, format = "no_markup" } },
}

shared.text_header = shared.only_variant("text", shared.header_text)

-- The text of a body or footer.
function shared.text_part(most)
  return { is = "object", fields = { text = required(text(1, most)) } }
end

--- The frame of an interactive message: what it leaves out is refused.
---@param parts { header: waba.Rule?, body: waba.Rule?, footer: waba.Rule?, action: waba.Rule }
---@return waba.Rule
function shared.frame(parts)
  local refused = {}
  for _, part in ipairs { "header", "footer" } do
    if not parts[part] then refused[part] = "is not allowed: this type of message has no " .. part end
  end
  return {
    is = "object",
    fields = { header = parts.header, body = parts.body, footer = parts.footer, action = required(parts.action) },
    refused = next(refused) and refused or nil,
  }
end

-- Sections of rows or products. Several need titles to tell them apart.
function shared.sections(of, most, item, unique)
  return {
    is = "list",
    required = true,
    count = { 1, 10 },
    when_several = "title",
    total = { of = of, most = most },
    unique = unique,
    each = {
      is = "object",
      fields = { title = text(1, 24), [of] = { is = "list", required = true, each = item } },
    },
  }
end

-- The sections of a list message.
shared.row_sections = shared.sections("rows", 10, {
  is = "object",
  fields = { id = required(text(1, 200)), title = required(text(1, 24)), description = text(0, 72) },
}, { "rows[].id" })

-- Buttons that answer, of a message; `id` is the rule of what comes back.
function shared.reply_buttons(id)
  return {
    is = "object",
    fields = {
      buttons = {
        is = "list",
        required = true,
        count = { 1, 3 },
        unique = { "reply.id", "reply.title" },
        each = {
          is = "object",
          fields = {
            type = { required = true, one_of = { "reply" } },
            reply = {
              is = "object",
              required = true,
              fields = {
                id = required(id),
                title = { is = "string", required = true, characters = { 1, 20 }, format = "no_markup" },
              },
            },
          },
        },
      },
    },
  }
end

return shared
