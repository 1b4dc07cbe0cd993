-- Parts of rules that both hostings have, and what makes rules of parts. See rules.lua for the notation.

local rules = require "waba.emulator.rules"

local message_rules = {}

local absent = rules.absent

message_rules.MIB = 1024 * 1024

--- A rule with some fields set anew.
---@param rule waba.emulator.Rule
---@param changes table
---@return waba.emulator.Rule
function message_rules.with(rule, changes)
  local copy = {}
  for _, fields in ipairs({ rule, changes }) do
    for name, value in pairs(fields) do copy[name] = value end
  end
  return copy
end
local with = message_rules.with

--- Returns a copy of a rule, for a required field.
---@param rule waba.emulator.Rule
---@return waba.emulator.Rule
function message_rules.required(rule) return with(rule, { required = true }) end
local required = message_rules.required

--- Returns the rule of a string.
---@param least? integer  characters
---@param most? integer
---@param format? string|string[]
---@return waba.emulator.Rule
function message_rules.text(least, most, format)
  return { is = "string", characters = { least or 0, most }, format = format }
end
local text = message_rules.text

message_rules.any_text, message_rules.some_text = text(), text(1)
local any_text, some_text = message_rules.any_text, message_rules.some_text

--- Returns the rule of an object with these fields.
---@param fields table<string, waba.emulator.Rule>
---@param more? table  further fields of the rule
---@return waba.emulator.Rule
function message_rules.object(fields, more) return with({ is = "object", fields = fields }, more or {}) end
local object = message_rules.object

--- Returns the rule of a list.
---@param each waba.emulator.Rule
---@param least? integer
---@param most? integer
---@param more? table
---@return waba.emulator.Rule
function message_rules.list(each, least, most, more)
  return with({ is = "list", each = each, count = { least or 0, most } }, more or {})
end
local list = message_rules.list

--- Returns the rule of a string that is one of several.
---@param names string  separated by spaces
---@param more? table
---@return waba.emulator.Rule
function message_rules.choice(names, more)
  local values = {}
  for name in names:gmatch("%S+") do values[#values + 1] = name end
  return with({ is = "string", one_of = values }, more or {})
end

--- Fields that are strings of any kind.
---@param names string  separated by spaces
---@return table<string, waba.emulator.Rule>
function message_rules.strings(names)
  local fields = {}
  for name in names:gmatch("%S+") do fields[name] = any_text end
  return fields
end
local strings = message_rules.strings

--- Returns the rule of an object whose `type` names its only other field.
---@param fields table<string, waba.emulator.Rule>
---@param names? string   the allowed fields, separated by spaces; all by default
---@param codes? table<string, string>
---@return waba.emulator.Rule
function message_rules.tagged(fields, names, codes)
  local variants = {}
  for name, rule in pairs(fields) do
    if not names or (" " .. names .. " "):find(" " .. name .. " ", 1, true) then
      variants[name] = { fields = { [name] = required(rule) }, codes = codes }
    end
  end
  return { is = "object", by = "type", variants = variants, codes = codes }
end

--- A file: by its id, or at an address.
---@param kind string   what it is sent as
---@param id waba.emulator.Rule
---@param fields table<string, waba.emulator.Rule>  further ones
---@return waba.emulator.Rule
function message_rules.media(kind, id, fields)
  return object(with({ id = id, link = text(1, nil, "url") }, fields), {
    exactly_one = { "id", "link" }, only_with = { provider = fields.provider and "link" },
    check = function(value, path, context)
      return not absent(value.id) and context.find_media and context.find_media(value.id, kind, path .. ".id") or nil
    end,
  })
end

--- Returns the rule of a location.
---@param description waba.emulator.Rule  the rule of name and address
---@return waba.emulator.Rule
function message_rules.location(description)
  return object({
    latitude = { is = "decimal", required = true, range = { -90, 90 } },
    longitude = { is = "decimal", required = true, range = { -180, 180 } },
    name = description, address = description,
  })
end

--- Contacts.
---@param most integer|nil
---@param kinds { place: waba.emulator.Rule, phone: waba.emulator.Rule, country: waba.emulator.Rule }
---@param more table<string, waba.emulator.Rule>  further fields of a contact
---@return waba.emulator.Rule
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

--- Reply buttons.
---@param id waba.emulator.Rule
---@return waba.emulator.Rule
function message_rules.reply_buttons(id)
  return list(object({
    type = required(message_rules.choice "reply"),
    reply = required(object({ id = required(id), title = required(text(1, 20, "no_markup")) })),
  }), 1, 3, { required = true, unique = { "reply.id", "reply.title" } })
end

local ROW = object({ id = required(text(1, 200)), title = required(text(1, 24)), description = text(0, 72) })

--- Returns the rule of a list's sections, or of sections of products.
---@param items "rows"|"product_items"
---@param item waba.emulator.Rule
---@param most integer  items in all
---@param codes? { count: string, items: string }  the codes for the number of sections and of items
---@return waba.emulator.Rule
local function sections(items, item, most, codes)
  return list(object({
    title = text(0, 24), [items] = list(item, 1, nil, { required = true, codes = { count = codes and codes.items } }),
  }), 1, 10, { when_several = "title", total = { of = items, most = most }, unique = { items .. "[].id" },
    codes = { count = codes and codes.count, total = codes and codes.items } })
end

---@param codes? table
---@return waba.emulator.Rule
function message_rules.row_sections(codes) return sections("rows", ROW, 10, codes) end

---@param product_id waba.emulator.Rule
---@param codes? table
---@return waba.emulator.Rule
function message_rules.product_sections(product_id, codes)
  return sections("product_items", object({ product_retailer_id = required(product_id) }), 30, codes)
end

--- Looks for the products of an interactive message, if there are any.
---@param value table
---@param path string
---@param context { find_products: function? }
---@return waba.emulator.RuleError|nil
function message_rules.check_products(value, path, context)
  return not absent(value.action.catalog_id) and context.find_products
    and context.find_products(value.action, path .. ".action") or nil
end

--- The position of a template's button.
message_rules.button_index = { is = "decimal", range = { 0, 9 } }

--- Finds a repeated component, or a repeated button.
---@param checker waba.emulator.Checker
---@return fun(components: table[], path: string): waba.emulator.RuleError|nil
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
