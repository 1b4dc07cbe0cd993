-- Formats of strings, functions that create rules, and rules for the parts of messages that both hostings have.
-- rules.lua describes the notation of rules.

local message_rules = {}

message_rules.MIB = 1024 * 1024

-- Formats -----------------------------------------------------------------------------------------

--- Counts the characters of a text in UTF-8.
function message_rules.characters(text)
  local _, count = text:gsub("[^\128-\191]", "")
  return count
end

-- Returns whether a text has WhatsApp's markup: words between two identical markers such as `*`, with spaces or
-- punctuation before and after the markers.
local function has_markup(text)
  if text:find "```" then return true end
  text = " " .. text .. " "
  for _, sign in ipairs({ "%*", "_", "~" }) do
    if text:find("[%s%p]" .. sign .. "[^%s" .. sign .. "][^" .. sign .. "\n]-" .. sign .. "[%s%p]")
      and text:find("[^%s]" .. sign .. "[%s%p]") then
      return true
    end
  end
  return false
end

-- Returns whether a text has pictographs, or dingbats that phones show in colour.
local function has_emoji(text)
  return (text:find("\240\159[\128-\191][\128-\191]") or text:find("\226[\152-\158][\128-\191]")
    or text:find("\239\184\143")) ~= nil
end

--- The formats of strings: a pattern or a function, and the end of the error text.
message_rules.FORMATS = {
  url = { function(text) return text:find("^[hH][tT][tT][pP][sS]?://[^%s/]+") ~= nil and not text:find("%s") end,
    "must be an http:// or https:// URL" },
  email = { function(text) return text == "" or text:find("^[^%s@]+@[^%s@]+%.[^%s@]+$") ~= nil end,
    "must be an e-mail address" },
  phone_number = { "^%+?[%d%s]+$", "must be a phone number" },
  recipient = { "^%s*%+?[%s%d%(%)%.%-/]*%d[%s%d%(%)%.%-/]*$", "must be a phone number or WhatsApp ID" },
  user_id = { "^%u%u%.%w[%w.]*$", "must be a business-scoped user id" },
  media_id = { "^%d+$", "must be an id of uploaded media" },
  template_name = { "^[a-z0-9_]+$",
    "must be a name, in which only lower-case letters, digits and underscores are allowed" },
  parameter_name = { "^[a-z_][a-z0-9_]*$", "must be a name in lower case" },
  language = { "^%l%l%l?[_%w]*$", "must be a language code like de or pt_BR" },
  country = { "^%a%a$", "must be a country code of two letters" },
  upper_case = { "^%u*$", "must be in capital letters" },
  currency = { "^%u%u%u$", "must be a currency code of three capital letters" },
  date = { "^%d%d%d%d%-[01]%d%-[0-3]%d$", "must be a date written YYYY-MM-DD" },
  reference = { "^[%w_.-]+$", "must have letters, digits, _ . - only" },
  alphanumeric = { "^%w+$", "must have letters and digits only" },
  four_digits = { "^%d%d%d%d$", "must be four digits" },
  signature_hash = { "^...........$", "must have 11 characters" },
  one_line = { function(text) return not text:find("[\n\t]") and not text:find "     " end,
    "must not contain newlines, tabs or more than four spaces in a row" },
  no_controls = { "^%C*$", "must not contain control characters" },
  no_markup = { function(text) return not has_markup(text) end, "must not contain markup" },
  no_emoji = { function(text) return not has_emoji(text) end, "must not contain emojis" },
  no_variable = { function(text) return not text:find "{{" end, "must not have variables" },
  trimmed = { function(text) return not text:find("^%s") and not text:find("%s$") end,
    "must not begin or end with a space" },
}

function message_rules.fits(text, name)
  local fits = message_rules.FORMATS[name][1]
  if type(fits) == "string" then return text:find(fits) ~= nil end
  return fits(text)
end

-- Constructors of rules ---------------------------------------------------------------------------

-- Returns a copy of a rule in which the fields of `changes` are replaced or added.
local function with(rule, changes)
  local copy = {}
  for _, fields in ipairs({ rule, changes }) do
    for name, value in pairs(fields) do copy[name] = value end
  end
  return copy
end
message_rules.with = with

local function required(rule) return with(rule, { required = true }) end

-- Creates the rule of a string of `least` to `most` characters; `format` is the name of a format, or a list of names.
local function text(least, most, format)
  return { is = "string", characters = { least or 0, most }, format = format }
end

local any_text, some_text = text(), text(1)

-- Creates the rule of an object; `more` has further parts of the rule.
local function object(fields, more) return with({ is = "object", fields = fields }, more or {}) end

-- Creates the rule of a list of `least` to `most` items with the rule `each`.
local function list(each, least, most, more)
  return with({ is = "list", each = each, count = { least or 0, most } }, more or {})
end

-- Creates the rule of a string that is one of the words in `names`.
local function choice(names, more)
  local values = {}
  for name in names:gmatch("%S+") do values[#values + 1] = name end
  return with({ is = "string", one_of = values }, more or {})
end

--- Returns the functions that create rules, the rule of a string that is not empty, and the rule of any string.
function message_rules.constructors() return required, text, object, list, choice, some_text, any_text, with end

--- Returns a table whose keys are the words of a text.
function message_rules.set(names)
  local found = {}
  for name in names:gmatch("%S+") do found[name] = true end
  return found
end

-- Creates the rules of an object whose fields, the words in `names`, are any strings.
local function strings(names)
  local fields = {}
  for name in names:gmatch("%S+") do fields[name] = any_text end
  return fields
end
message_rules.strings = strings

--- Creates the rule of an object in which the value of `type` is the name of the other field. `names` has the allowed
--- fields, separated by spaces; by default all fields are allowed.
function message_rules.tagged(fields, names, codes)
  local variants = {}
  local allowed = names and message_rules.set(names) or fields
  for name in pairs(allowed) do variants[name] = { fields = { [name] = required(fields[name]) }, codes = codes } end
  return { is = "object", by = "type", variants = variants, codes = codes }
end

-- Rules of parts of messages ----------------------------------------------------------------------

--- Creates the rule of an object with a field `text` of at most `most` characters.
function message_rules.words(most) return object({ text = required(text(1, most)) }) end

--- Creates the rule of a file that is given by an id or a link. `kind` is the kind of media, `id` the rule of the id,
--- and `fields` has further fields.
function message_rules.media(kind, id, fields)
  return object(with({ id = id, link = text(1, nil, "url") }, fields), {
    exactly_one = { "id", "link" }, only_with = { provider = fields.provider and "link" },
    check = function(value, path, context)
      return value.id ~= nil and context.find_media and context.find_media(value.id, kind, path .. ".id") or nil
    end,
  })
end

--- Creates the rule of a location. `description` is the rule of the location's fields `name` and `address`.
function message_rules.location(description)
  return object({
    latitude = { is = "decimal", required = true, range = { -90, 90 } },
    longitude = { is = "decimal", required = true, range = { -180, 180 } },
    name = description, address = description,
  })
end

--- Creates the rule of contacts. `kinds` has three rules: `place` for the types of addresses, e-mails and URLs, `phone`
--- for the types of phones, and `country` for country codes. `more` has further fields of a contact.
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

-- Creates the rule of sections that have at most `most` items together, in the field "rows" or "product_items".
-- `codes.count` is the name of the error code for an invalid number of sections, and `codes.items` that for an invalid
-- number of items.
local function sections(items, item, most, codes)
  return list(object({
    title = text(0, 24), [items] = list(item, 1, nil, { required = true, codes = { count = codes and codes.items } }),
  }), 1, 10, { when_several = "title", total = { of = items, most = most }, unique = { items .. "[].id" },
    codes = { count = codes and codes.count, total = codes and codes.items } })
end

function message_rules.row_sections(codes) return sections("rows", ROW, 10, codes) end

--- Creates the rule of sections of products. `product_id` is the rule of the products' ids.
function message_rules.product_sections(product_id, codes)
  return sections("product_items", object({ product_retailer_id = required(product_id) }), 30, codes)
end

function message_rules.check_products(value, path, context)
  return value.action.catalog_id ~= nil and context.find_products
    and context.find_products(value.action, path .. ".action") or nil
end

--- Returns the function that rules call to find products in the option `catalogs`. The function returns an error with
--- the code `no_product` if none of the products exists; if only some of them are missing, the function sets
--- `context.missing`.
function message_rules.product_finder(gateway, no_catalog, no_product, context)
  return function(action, path)
    local catalogs, new_error = gateway.options.catalogs, gateway.checker.new_error
    if not catalogs then return nil end
    local catalog = catalogs[action.catalog_id]
    if not catalog then
      return new_error(no_catalog, "Parameter '%s.catalog_id' is '%s', which the option catalogs does not have", path,
        tostring(action.catalog_id))
    end
    local known, wanted, found = {}, { action.product_retailer_id }, 0
    for _, product in ipairs(catalog) do known[product] = true end
    for _, section in ipairs(action.sections or {}) do
      for _, item in ipairs(section.product_items) do wanted[#wanted + 1] = item.product_retailer_id end
    end
    for _, product in ipairs(wanted) do found = found + (known[product] and 1 or 0) end
    if found == 0 then
      return new_error(no_product, "product_retailer_id: catalog %s has none of the products", action.catalog_id)
    end
    context.missing = found < #wanted
  end
end

--- The rule of a body that the handler of a route checks by itself.
message_rules.BODY = { is = "any" }

message_rules.button_index = { is = "decimal", range = { 0, 9 } }

--- Returns a check for the components of a template message: each type, and each button, may occur once.
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
