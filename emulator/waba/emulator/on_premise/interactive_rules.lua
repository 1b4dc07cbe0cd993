-- The rule of interactive messages (on-premise.md, section 2.9 and after). See rules.lua for the words of a rule.

local content_rules = require "waba.emulator.on_premise.content_rules"
local walker = require "waba.emulator.on_premise.walker"

local fault, absent = walker.fault, walker.absent

local header = { "header", type = "object", wrong_type = 2036, fields = {
  { "type", type = "string", required = true, values = { "text", "image", "video", "document" }, wrong = 2036 },
  { "text", type = "string", min = 1, max = 60, check = content_rules.no_markup },
  content_rules.header_media "image", content_rules.header_media "video", content_rules.header_media "document",
}, check = function(value, path)
  for _, name in ipairs({ "text", "image", "video", "document" }) do
    if name == value.type and absent(value[name]) then
      return fault(1008, "Parameter '%s.%s' is mandatory for a header of type '%s'", path, name, value.type)
    elseif name ~= value.type and not absent(value[name]) then
      return fault(2036, "Parameter '%s.%s' does not go with a header of type '%s'", path, name, value.type)
    end
  end
end }

local action = { "action", type = "object", required = true, fields = {
  { "button", type = "string", min = 1, max = 20, check = content_rules.plain_text },
  { "buttons", type = "array", min = 1, max = 3, each = { type = "object", fields = {
    { "type", type = "string", required = true, values = { "reply" } },
    { "reply", type = "object", required = true, fields = {
      { "id", type = "string", required = true, min = 1, max = 256 },
      { "title", type = "string", required = true, min = 1, max = 20, check = content_rules.no_markup },
    } },
  } } },
  { "sections", type = "array", min = 1, max = 10, wrong_count = 2015, each = { type = "object", fields = {
    { "title", type = "string", max = 24 },
    { "rows", type = "array", min = 1, wrong_count = 2016, each = { type = "object", fields = {
      { "id", type = "string", required = true, min = 1, max = 200 },
      { "title", type = "string", required = true, min = 1, max = 24 },
      { "description", type = "string", max = 72 },
    } } },
    { "product_items", type = "array", min = 1, wrong_count = 2023, each = { type = "object", fields = {
      { "product_retailer_id", type = "string", required = true, min = 1, max = 100 },
    } } },
  } } },
  { "catalog_id", type = "string", min = 1 },
  { "product_retailer_id", type = "string", min = 1, max = 100 },
} }

-- What each interactive type needs of the common frame, and what it refuses.
local KINDS = {
  button = { header = { text = true, image = true, video = true, document = true }, body = true,
    action = { buttons = true } },
  list = { header = { text = true }, body = true, action = { button = true, sections = true },
    items = "rows", most_items = 10, wrong_items = 2016 },
  product = { header = {}, action = { catalog_id = true, product_retailer_id = true } },
  product_list = { header = { text = true }, needs_header = true, body = true,
    action = { catalog_id = true, sections = true },
    items = "product_items", most_items = 30, wrong_items = 2023 },
}

local function check_action_fields(value, path, kind, name)
  for _, field in ipairs(action.fields) do
    local wanted, given = kind.action[field[1]], not absent(value[field[1]])
    if wanted and not given then
      return fault(1008, "Parameter '%s.%s' is mandatory for an interactive message of type '%s'", path, field[1], name)
    elseif given and not wanted then
      return fault(1010, "Parameter '%s.%s' is not required for an interactive message of type '%s'",
        path, field[1], name)
    end
  end
end

local function check_sections(sections, path, kind)
  local total, ids = 0, {}
  for i, section in ipairs(sections) do
    local place = ("%s[%d]"):format(path, i - 1)
    local items = section[kind.items]
    local other = kind.items == "rows" and "product_items" or "rows"
    if absent(items) then
      return fault(1008, "Parameter '%s.%s' is mandatory", place, kind.items)
    elseif not absent(section[other]) then
      return fault(1010, "Parameter '%s.%s' is not required", place, other)
    elseif #sections > 1 and (absent(section.title) or section.title == "") then
      return fault(1008, "Parameter '%s.title' is mandatory where there are several sections", place)
    end
    total = total + #items
    for j, item in ipairs(items) do
      if item.id and ids[item.id] then
        return fault(1009, "Parameter '%s.%s[%d].id' is not unique", place, kind.items, j - 1)
      end
      ids[item.id or 0] = item.id and true
    end
  end
  if total > kind.most_items then
    return fault(kind.wrong_items, "Parameter '%s' has %d %s in all, at most %d are allowed",
      path, total, kind.items, kind.most_items)
  end
end

local function check_unique_buttons(buttons, path)
  for _, name in ipairs({ "id", "title" }) do
    local seen = {}
    for i, button in ipairs(buttons) do
      if seen[button.reply[name]] then
        return fault(1009, "Parameter '%s[%d].reply.%s' is not unique", path, i - 1, name)
      end
      seen[button.reply[name]] = true
    end
  end
end

local function check_header_kind(value, path, kind)
  local given = value.header
  if absent(given) then
    if kind.needs_header then
      return fault(1008, "Parameter '%s.header' is mandatory for an interactive message of type '%s'", path, value.type)
    end
  elseif not kind.header[given.type] then
    return fault(2036, "Parameter '%s.header' of type '%s' is not allowed for an interactive message of type '%s'",
      path, given.type, value.type)
  end
end

local function check_interactive(value, path, context)
  local kind = KINDS[value.type]
  local found = check_header_kind(value, path, kind)
  if not found and kind.body and absent(value.body) then
    found = fault(1008, "Parameter '%s.body' is mandatory for an interactive message of type '%s'", path, value.type)
  end
  local actions = value.action
  found = found or check_action_fields(actions, path .. ".action", kind, value.type)
  if not found and kind.items then
    found = check_sections(actions.sections, path .. ".action.sections", kind)
  end
  if not found and value.type == "button" then
    found = check_unique_buttons(actions.buttons, path .. ".action.buttons")
  end
  if not found and actions.catalog_id and context.find_products then
    found = context.find_products(actions, path .. ".action")
  end
  return found
end

return { "interactive", type = "object", required = true, check = check_interactive, fields = {
  { "type", type = "string", required = true, values = { "list", "button", "product", "product_list" } },
  header,
  { "body", type = "object", fields = { { "text", type = "string", required = true, min = 1, max = 1024 } } },
  { "footer", type = "object", fields = { { "text", type = "string", required = true, min = 1, max = 60 } } },
  action,
} }
