-- Changes to a valid message after which the platform refuses the message.

local random = require "spec.support.random"

local function deep_copy(value)
  if type(value) ~= "table" then return value end
  local result = {}
  for key, field in pairs(value) do result[key] = deep_copy(field) end
  return result
end

-- Returns every field below a value in a fixed order, as { holder, key, value, path }.
local function fields(value, path, found)
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do
    local step = type(key) == "number" and ("[%d]"):format(key) or (path == "" and "" or ".") .. key
    local field = { holder = value, key = key, value = value[key], path = path .. step }
    found[#found + 1] = field
    if type(field.value) == "table" then fields(field.value, field.path, found) end
  end
  return found
end

local function is_list(value) return type(value) == "table" and value[1] ~= nil end

-- The names of required fields.
local always_needed = {}
for name in ([[action amount_1000 button buttons card_index cards catalog_id code country coupon_code currency
  currency_code default element_name emoji expiration_time_ms fallback_value flow_cta flow_message_version
  formatted_name items latitude longitude localizable_params message_id payload product_items product_retailer_id
  quantity quick_reply reference_id reply rows sections sub_type subtotal total_amount unix_epoch]]):gmatch("%S+") do
  always_needed[name] = true
end

-- Objects that may have any fields.
local open_objects = { "data", "flow_action_data", "pix_dynamic_code", "boleto", "payment_gateway" }

local function is_in_open_object(field)
  for _, name in ipairs(open_objects) do
    if field.path:find("%." .. name .. "%.") or type(field.value) == "table" and field.path:find("%." .. name .. "$") then
      return true
    end
  end
  return false
end

local function is_string_in(names)
  return function(field) return type(field.value) == "string" and names[field.key] end
end

local limited = { body = true, text = true, caption = true, title = true, description = true, button = true }

local mutations = {
  {
    name = "an unknown field",
    fits = function(field) return type(field.value) == "table" and not is_list(field.value) end,
    change = function(field) field.value.colour = "blue" end,
    skip = is_in_open_object,
  },
  {
    name = "a value of the wrong type",
    fits = function(field) return field.key ~= "type" end,
    skip = function(field) return field.path:find("%.data%.") or field.path:find("%.flow_action_data%.")
      or field.path:find("%.pix_dynamic_code%.") end,
    change = function(field)
      if type(field.value) == "boolean" then
        field.holder[field.key] = "yes"
      else
        field.holder[field.key] = false
      end
    end,
  },
  {
    name = "a missing field",
    fits = function(field) return always_needed[field.key] end,
    change = function(field) field.holder[field.key] = nil end,
    skip = function(field)
      return field.path == "interactive.action.parameters.payload" or field.path:find("addresses.*country$")
        or is_in_open_object(field)
    end,
  },
  {
    name = "a text that is too long",
    fits = function(field)
      return is_string_in(limited)(field) and not field.path:find("contacts") -- the title in `org` has no limit
        and not field.path:find("template.*%.parameters%[%d+%]%.text$")
        and not field.path:find("%.parameters%..*description$") and not field.path:find("order_details.*description$")
    end,
    change = function(field) field.holder[field.key] = ("\195\164"):rep(4097) end,
  },
  {
    name = "a line break in a template's parameter",
    fits = function(field) return field.path:find("template.*parameters%[%d+%]%.text$") end,
    change = function(field) field.holder[field.key] = "a\nb" end,
  },
  {
    name = "an empty text",
    fits = is_string_in { body = true, formatted_name = true, id = true, name = true },
    change = function(field) field.holder[field.key] = "" end,
    skip = function(field)
      return field.path == "location.name" or field.path:find("filename") or field.path:find("value")
        and field.key == "name"
    end,
  },
  {
    name = "an empty list",
    fits = function(field) return is_list(field.value) end,
    change = function(field) field.holder[field.key] = {} end,
  },
  {
    name = "too many elements",
    fits = function(field)
      return field.key == "buttons" or field.key == "rows" or field.key == "sections" or field.key == "cards"
    end,
    change = function(field)
      for i = #field.value + 1, 11 do
        field.value[i] = deep_copy(field.value[1])
        field.value[i].id = "more-" .. i
      end
    end,
  },
  {
    name = "both id and link",
    fits = function(field) return field.key == "link" or field.key == "id" and field.holder.title == nil end,
    change = function(field) field.holder.id, field.holder.link = "17", "https://cdn.example/x" end,
  },
  {
    name = "a link of another scheme",
    fits = function(field) return field.key == "link" end,
    change = function(field) field.holder.link = "ftp://cdn.example/x" end,
  },
  {
    name = "a type that is not known",
    fits = function(field) return field.key == "type" and field.holder[field.value] ~= nil end,
    change = function(field) field.holder.type = "hologram" end,
  },
  {
    name = "a repeated id",
    fits = function(field)
      return (field.key == "buttons" and field.value[1].reply or field.key == "rows") and #field.value > 1
    end,
    change = function(field)
      local first, second = field.value[1], field.value[2]
      if first.reply then second.reply.id = first.reply.id else second.id = first.id end
    end,
  },
  {
    name = "a card at another's position",
    fits = function(field) return field.key == "cards" end,
    change = function(field) field.value[2].card_index = field.value[1].card_index end,
  },
  {
    name = "cards that differ",
    fits = function(field) return field.path == "interactive.action.cards" end,
    change = function(field)
      field.value[2] = {
        card_index = 1, type = "product", action = { catalog_id = "another", product_retailer_id = "B-1" },
      }
    end,
  },
  {
    name = "a total that does not add up",
    fits = function(field) return field.key == "total_amount" and field.holder.order ~= nil end,
    change = function(field) field.value.value = field.value.value + 1 end,
  },
  {
    name = "half a cent",
    fits = function(field) return field.key == "value" and type(field.value) == "number" end,
    change = function(field) field.holder.value = field.value + 0.5 end,
  },
}

--- Returns a copy of a valid message with one mistake. The platform refuses the copy.
---@param rng fun(least: integer, most: integer): integer
---@return string mistake  such as "a missing field: interactive.action"
local function mutate(rng, message)
  while true do
    local wrong = deep_copy(message)
    local mutation = random.pick(rng, mutations)
    local candidates = {}
    for _, field in ipairs(fields(wrong, "", {})) do
      if mutation.fits(field) and not (mutation.skip and mutation.skip(field)) then
        candidates[#candidates + 1] = field
      end
    end
    if #candidates > 0 then
      local field = random.pick(rng, candidates)
      mutation.change(field)
      return wrong, mutation.name .. ": " .. field.path
    end
  end
end

return { mutate = mutate, copy = deep_copy }
