-- The rules of what several Cloud messages have in common: media, places, links, product lists. See
-- on_premise/rules.lua for the words of a rule; codes are those of cloud/walker.lua.

local media_store = require "waba.emulator.media_store"
local texts = require "waba.emulator.texts"
local walker = require "waba.emulator.cloud.walker"

local fault, absent = walker.fault, walker.absent

local content = {}

local MIB = 1024 * 1024

local function set(list)
  local names = {}
  for name in list:gmatch("%S+") do names[name] = true end
  return names
end

--- What each kind of media may be: its MIME types and its size in bytes (cloud.md, section 3.1).
content.media = {
  image = { max = 5 * MIB, types = set "image/jpeg image/png" },
  audio = { max = 16 * MIB, types = set "audio/aac audio/amr audio/mpeg audio/mp4 audio/ogg" },
  video = { max = 16 * MIB, types = set "video/mp4 video/3gpp" },
  document = { max = 100 * MIB, types = set [[text/plain application/pdf application/msword
    application/vnd.ms-excel application/vnd.ms-powerpoint
    application/vnd.openxmlformats-officedocument.wordprocessingml.document
    application/vnd.openxmlformats-officedocument.spreadsheetml.sheet
    application/vnd.openxmlformats-officedocument.presentationml.presentation]] },
  sticker = { max = 500 * 1024, types = set "image/webp" },
}

--- Whether a MIME type may be uploaded at all.
---@param mime_type string
---@return boolean
function content.known_type(mime_type)
  for _, kind in pairs(content.media) do
    if media_store.type_fits(kind, mime_type) then return true end
  end
  return false
end

function content.web_address(value, path)
  if not texts.is_web_address(value) then return fault(131009, "%s is not a valid URL", path) end
end

function content.no_markup(value, path)
  if texts.has_markup(value) then return fault(131009, "%s must not contain markup", path) end
end

function content.no_emoji(value, path)
  if texts.has_emoji(value) then return fault(131009, "%s must not contain emojis", path) end
end

function content.trimmed(value, path)
  if value:find("^%s") or value:find("%s$") then
    return fault(131009, "%s must not begin or end with a space", path)
  end
end

-- Exactly one of `id` and `link`; an id must be known and fit.
local function media_source(kind)
  return function(value, path, context)
    local with_id, with_link = not absent(value.id), not absent(value.link)
    if not with_id and not with_link then
      return fault(131008, "%s: one of id and link is required", path)
    elseif with_id and with_link then
      return fault(131009, "%s: id and link exclude each other", path)
    elseif with_id and context.find_media then
      return context.find_media(value.id, kind, path .. ".id")
    end
  end
end

local FIELDS = {
  caption = { "caption", type = "string", max = 1024 },
  filename = { "filename", type = "string", max = 240 },
  voice = { "voice", type = "boolean" },
}

--- The rule of a media object.
---@param kind string
---@param required boolean
---@param ... string  further fields it may have
---@return table
function content.media_rule(kind, required, ...)
  local fields = {
    { "id", type = "string", min = 1, pattern = "^%d+$", says = "an id of uploaded media", wrong = 100 },
    { "link", type = "string", min = 1, check = content.web_address },
  }
  for _, name in ipairs({ ... }) do fields[#fields + 1] = FIELDS[name] end
  return { kind, type = "object", required = required, fields = fields, check = media_source(kind) }
end

local function degrees(limit)
  return function(value, path)
    local number = tonumber(value)
    if not number or number < -limit or number > limit then
      return fault(131009, "%s must be a number from -%d to %d", path, limit, limit)
    end
  end
end

--- The rule of a place. `complete`: name and address are needed too.
---@param complete boolean
---@return table
function content.location_rule(complete)
  return { "location", type = "object", required = not complete, fields = {
    { "latitude", type = "number|string", required = true, check = degrees(90) },
    { "longitude", type = "number|string", required = true, check = degrees(180) },
    { "name", type = "string", required = complete, min = complete and 1 or nil, max = 1000 },
    { "address", type = "string", required = complete, min = complete and 1 or nil, max = 1000 },
  } }
end

--- An object must have exactly the one member that its `type` names.
---@param names string[]
---@return fun(value: table, path: string): waba.emulator.Fault|nil
function content.one_of(names)
  return function(value, path)
    for _, name in ipairs(names) do
      if name == value.type and absent(value[name]) then
        return fault(131008, "%s.%s is required for the type %s", path, name, value.type)
      elseif name ~= value.type and not absent(value[name]) then
        return fault(131009, "%s.%s does not go with the type %s", path, name, value.type)
      end
    end
  end
end

--- Members that must differ within a list.
---@param list table[]
---@param path string
---@param member fun(entry: table): string|nil
---@param name string
---@return waba.emulator.Fault|nil
function content.unique(list, path, member, name)
  local seen = {}
  for i, entry in ipairs(list) do
    local value = member(entry)
    if value ~= nil and seen[value] then
      return fault(131009, "%s[%d].%s is not unique", path, i - 1, name)
    end
    seen[value or 0] = value and true
  end
end

--- Sections of a list or of products: titles where there are several, and how many rows in all.
---@param items "rows"|"product_items"
---@param most integer
---@return fun(sections: table[], path: string): waba.emulator.Fault|nil
function content.check_sections(items, most)
  return function(sections, path)
    local total, all = 0, {}
    for i, section in ipairs(sections) do
      if #sections > 1 and (absent(section.title) or section.title == "") then
        return fault(131008, "%s[%d].title is required where there are several sections", path, i - 1)
      end
      total = total + #section[items]
      for _, item in ipairs(section[items]) do all[#all + 1] = item end
    end
    if total > most then
      return fault(131009, "%s has %d %s in all, at most %d are allowed", path, total, items, most)
    end
    return content.unique(all, path, function(item) return item.id end, "id")
  end
end

--- The sections of products: in an interactive message and in a template's button.
---@return table
function content.product_sections()
  return { "sections", type = "array", required = true, min = 1, max = 10, check = content.check_sections(
    "product_items", 30), each = { type = "object", fields = {
      { "title", type = "string", max = 24 },
      { "product_items", type = "array", required = true, min = 1, each = { type = "object", fields = {
        { "product_retailer_id", type = "string", required = true, min = 1 },
      } } },
    } } }
end

return content
