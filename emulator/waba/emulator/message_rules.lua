-- Functions that create rules for parts of a message, and rules for the parts that both hostings have. rules.lua
-- describes the notation.

local rules = require "waba.emulator.rules"

local message_rules = {}

local absent = rules.absent

message_rules.MIB = 1024 * 1024

-- Constructors of rules ---------------------------------------------------------------------------

-- Returns a copy of a rule with some fields replaced.
local function with(rule, changes)
  local copy = {}
  for _, fields in ipairs({ rule, changes }) do
    for name, value in pairs(fields) do copy[name] = value end
  end
  return copy
end

local function required(rule) return with(rule, { required = true }) end

-- Creates the rule of a string with `least` to `most` characters; `format` is the name of a format, or a list of names.
local function text(least, most, format)
  return { is = "string", characters = { least or 0, most }, format = format }
end

local any_text, some_text = text(), text(1)

-- Creates the rule of an object with the fields `fields`; `more` has further parts of the rule.
local function object(fields, more) return with({ is = "object", fields = fields }, more or {}) end

-- Creates the rule of a list with `least` to `most` items.
local function list(each, least, most, more)
  return with({ is = "list", each = each, count = { least or 0, most } }, more or {})
end

-- Creates the rule of a string that is one of several; `names` separates them by spaces.
local function choice(names, more)
  local values = {}
  for name in names:gmatch("%S+") do values[#values + 1] = name end
  return with({ is = "string", one_of = values }, more or {})
end

--- Returns the functions above, the rule of a string that is not empty, and the rule of any string.
function message_rules.constructors() return required, text, object, list, choice, some_text, any_text, with end

--- Returns a table whose keys are the words of a text.
function message_rules.set(names)
  local found = {}
  for name in names:gmatch("%S+") do found[name] = true end
  return found
end

-- Creates the rules of fields that are strings of any kind; `names` separates them by spaces.
local function strings(names)
  local fields = {}
  for name in names:gmatch("%S+") do fields[name] = any_text end
  return fields
end
message_rules.strings = strings

--- Creates the rule of an object with `type` and one other field, whose name is the value of `type`. `names` has the
--- allowed fields, separated by spaces; by default all fields are allowed.
function message_rules.tagged(fields, names, codes)
  local variants = {}
  local allowed = names and message_rules.set(names) or fields
  for name in pairs(allowed) do variants[name] = { fields = { [name] = required(fields[name]) }, codes = codes } end
  return { is = "object", by = "type", variants = variants, codes = codes }
end

-- Parts -------------------------------------------------------------------------------------------

--- Creates the rule of an object with a field `text` of at most this number of characters.
function message_rules.words(most) return object({ text = required(text(1, most)) }) end

--- Creates the rule of a file, which has an id or a link. `kind` is the kind of media that the file is sent as, and
--- `fields` has further fields.
function message_rules.media(kind, id, fields)
  return object(with({ id = id, link = text(1, nil, "url") }, fields), {
    exactly_one = { "id", "link" }, only_with = { provider = fields.provider and "link" },
    check = function(value, path, context)
      return not absent(value.id) and context.find_media and context.find_media(value.id, kind, path .. ".id") or nil
    end,
  })
end

--- Creates the rule of a location. `description` is the rule of a location's name and of its address.
function message_rules.location(description)
  return object({
    latitude = { is = "decimal", required = true, range = { -90, 90 } },
    longitude = { is = "decimal", required = true, range = { -180, 180 } },
    name = description, address = description,
  })
end

--- Creates the rule of contacts. `kinds` has the rules of the types `place`, `phone` and `country`; `more` has further
--- fields of a contact.
function message_rules.contacts(most, kinds, more)
  local parts = { "first_name", "last_name", "middle_name", "prefix", "suffix" }
  local function placed(names) return list(object(with(strings(names), { type = kinds.place }))) end
  local address = with(strings "street city state zip country", { type = kinds.place, country_code = kinds.country })
  return list(object(with({
    name = required(object(with(strings(table.concat(parts, " ")), { formatted_name = required(some_text) }),
      { at_least_one = parts })),
    addresses = list(object(address)), emails = placed "email", urls = placed "url",
    phones = list(object(with(strings "phone wa_id", { type = kinds.phone }))),
    org = object(strings "company department title"), birthday = text(0, nil, "date"),
  }, more)), 1, most)
end

--- Creates the rule of reply buttons. `id` is the rule of the buttons' ids.
function message_rules.reply_buttons(id)
  return list(object({
    type = required(choice "reply"),
    reply = required(object({ id = required(id), title = required(text(1, 20, "no_markup")) })),
  }), 1, 3, { required = true, unique = { "reply.id", "reply.title" } })
end

local ROW = object({ id = required(text(1, 200)), title = required(text(1, 24)), description = text(0, 72) })

-- Creates the rule of sections that have at most `most` items together. `items` is the name of the field with the
-- items, "rows" or "product_items". `codes` has the names of two error codes: `count` for an invalid number of
-- sections, `items` for an invalid number of items.
local function sections(items, item, most, codes)
  return list(object({
    title = text(0, 24), [items] = list(item, 1, nil, { required = true, codes = { count = codes and codes.items } }),
  }), 1, 10, { when_several = "title", total = { of = items, most = most }, unique = { items .. "[].id" },
    codes = { count = codes and codes.count, total = codes and codes.items } })
end

function message_rules.row_sections(codes) return sections("rows", ROW, 10, codes) end

--- Creates the rule of the sections in a message with products. `product_id` is the rule of the products' ids.
function message_rules.product_sections(product_id, codes)
  return sections("product_items", object({ product_retailer_id = required(product_id) }), 30, codes)
end

function message_rules.check_products(value, path, context)
  return not absent(value.action.catalog_id) and context.find_products
    and context.find_products(value.action, path .. ".action") or nil
end

message_rules.button_index = { is = "decimal", range = { 0, 9 } }

--- Returns a function that checks a message for repeated components and repeated buttons.
function message_rules.once_each(checker)
  return function(components, path)
    local seen = {}
    for i, component in ipairs(components) do
      local kind = component.type:lower()
      local key = kind == "button" and "button " .. tonumber(component.index) or kind
      if seen[key] then
        return checker.new_error("parameter_invalid", "Parameter '%s[%d]' repeats the %s", path, i - 1, key)
      end
      seen[key] = true
    end
  end
end

return message_rules
