-- Functions that several builders call. No function raises an error: a value of an unexpected type is returned
-- unchanged.

local digits = require "waba.digits"

local parts = {}

function parts.is_table(value)
  return type(value) == "table"
end

local is_table = parts.is_table

function parts.upper(value)
  return type(value) == "string" and value:upper() or nil
end

function parts.copy(value)
  if not is_table(value) then return value end
  local result = {}
  for key, field in pairs(value) do result[key] = field end
  return result
end

-- Converts a number to a string: 5 to "5", never "5.0". Keeps a number that may have lost digits, so that schema.lua
-- refuses the number.
function parts.wire_string(value)
  return type(value) == "number" and digits(value) or value
end

function parts.wire_number(value)
  return type(value) == "string" and tonumber(value) or value
end

local copy, wire_string = parts.copy, parts.wire_string

-- Returns a copy of `value`, and converts the fields with the names `...` by `wire_string`.
function parts.with_strings(value, ...)
  local result = copy(value)
  if not is_table(result) then return result end
  for i = 1, select("#", ...) do
    local name = select(i, ...)
    result[name] = wire_string(result[name])
  end
  return result
end

local with_strings = parts.with_strings

-- Returns the highest position in a list, at most 256: 3 for `{ "Eva", nil, "Berlin" }`, for which # may return 1.
function parts.positions(list)
  local top = 0
  for key in pairs(list) do
    if type(key) == "number" and key > top and key <= 256 then top = key end
  end
  return top
end

function parts.each(list, build)
  if not is_table(list) then return list end
  local result = {}
  for key, item in pairs(list) do result[key] = build(item, key) end
  return result
end

function parts.is_empty(value)
  return is_table(value) and next(value) == nil
end

local header_kinds = { "text", "image", "video", "document", "gif", "location", "product" }

-- Returns the kind and the content of a header. A header is a text, `{ image = {…} }`, or the result of a builder.
function parts.header_content(header)
  if not is_table(header) then return "text", wire_string(header) end
  for _, kind in ipairs(header_kinds) do
    local content = header[kind]
    if content ~= nil and (header.type == nil or header.type == kind) then
      if kind == "text" and is_table(content) then content = content.body end -- the header is a result of `waba.text`
      if is_table(content) then content = with_strings(content, "id", "catalog_id", "product_retailer_id") end
      return kind, content
    end
  end
end

-- Returns the language object of a template. The argument may be the object or only the language code.
function parts.language(language)
  if is_table(language) then return copy(language) end
  if language == nil then return nil end
  return { code = language }
end

local function product_item(product)
  if is_table(product) then return with_strings(product, "product_retailer_id") end
  return { product_retailer_id = wire_string(product) }
end

-- Creates a section of products: `products = { "SKU" }` is a short form of the platform's `product_items`.
function parts.product_section(section)
  section = copy(section)
  if is_table(section) and section.products ~= nil and section.product_items == nil then
    section.product_items, section.products = parts.each(section.products, product_item), nil
  end
  return section
end

return parts
