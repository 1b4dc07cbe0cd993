-- The rules of what several On-Premise messages have in common: texts and media. See rules.lua for the
-- words of a rule.

local texts = require "waba.emulator.texts"
local walker = require "waba.emulator.on_premise.walker"

local fault, absent = walker.fault, walker.absent

local content_rules = {}

-- ---- Texts -----------------------------------------------------------------------------------------

function content_rules.no_markup(value, path)
  if texts.has_markup(value) then
    return fault(2017, "Parameter '%s' must not contain markup", path)
  end
end

function content_rules.plain_text(value, path)
  if texts.has_emoji(value) then
    return fault(2017, "Parameter '%s' must not contain emojis", path)
  end
  return content_rules.no_markup(value, path)
end

local function web_address(value, path)
  if not texts.is_web_address(value) then
    return fault(1009, "Parameter '%s' must be an http:// or https:// URL", path)
  end
end

-- ---- Media -----------------------------------------------------------------------------------------

--- What each kind of media may be: its MIME types and its size in bytes (on-premise.md, section 5.4).
content_rules.media = {
  image = { max = 5 * 1024 * 1024, types = { ["image/jpeg"] = true, ["image/png"] = true } },
  audio = { max = 16 * 1024 * 1024, types = {
    ["audio/aac"] = true, ["audio/mp4"] = true, ["audio/amr"] = true, ["audio/mpeg"] = true,
    ["audio/ogg"] = "codecs=opus",
  } },
  video = { max = 16 * 1024 * 1024, types = { ["video/mp4"] = true, ["video/3gpp"] = true } },
  document = { max = 100 * 1024 * 1024 },
  sticker = { max = 100 * 1024, types = { ["image/webp"] = true } },
}

-- Exactly one of `id` and `link`; an id must be known and fit.
local function media_source(kind)
  return function(value, path, context)
    local with_id, with_link = not absent(value.id), not absent(value.link)
    if not with_id and not with_link then
      return fault(1008, "Parameter '%s.id' or '%s.link' is mandatory", path, path)
    elseif with_id and with_link then
      return fault(1010, "Parameter '%s.link' is not required: '%s.id' is given", path, path)
    elseif with_id and not absent(value.provider) then
      return fault(1010, "Parameter '%s.provider' is not required: it goes with a link", path)
    elseif with_id and context.find_media then
      return context.find_media(value.id, kind, path .. ".id")
    end
  end
end

local ID = { "id", type = "string", min = 1 }
local LINK = { "link", type = "string", min = 1, check = web_address }
local CAPTION = { "caption", type = "string", max = 1024 }
local FILENAME = { "filename", type = "string", min = 1 }
local PROVIDER = { "provider", type = "object", fields = { { "name", type = "string", required = true, min = 1 } } }

--- The rule of a media object.
---@param kind string
---@param ... table  rules of further fields
---@return table
function content_rules.media_rule(kind, ...)
  local fields = { ID, LINK, PROVIDER }
  for _, field in ipairs({ ... }) do fields[#fields + 1] = field end
  return { kind, type = "object", required = true, fields = fields, check = media_source(kind) }
end

--- In a header of an interactive or template message: the media object of on-premise.md, section 2.4, with all it may have.
---@param kind string
---@return table
function content_rules.header_media(kind)
  local rule = kind == "document" and content_rules.media_rule(kind, CAPTION, FILENAME)
    or content_rules.media_rule(kind, CAPTION)
  rule.required = false
  return rule
end

content_rules.CAPTION, content_rules.FILENAME = CAPTION, FILENAME

return content_rules
