-- Checks a file against what a gateway takes: sizes and MIME types by the kind of message it is for.
-- The numbers are data of each hosting (`hosting/<name>/media.lua`).

local errors = require "waba.errors"
local mime = require "waba.mime"

local KB, MB = 1024, 1024 * 1024

local media_rules = {}

--- What one kind of message takes.
---@class waba.MediaRule
---@field most integer      bytes
---@field types? string[]   MIME types; any when not said

--- What a gateway takes.
---@class waba.MediaRules
---@field kinds table<string, waba.MediaRule>  by type of message
---@field photo waba.MediaRule                 the profile's photo
---@field largest_upload integer               bytes
---@field largest_download integer             bytes

-- In which order a kind is looked for when none is named.
local ORDER = { "audio", "image", "sticker", "video" }

-- 5 MB, 100 KB, 12.3 MB
local function size_text(bytes)
  if bytes < KB then return bytes .. " bytes" end
  local unit, name = KB, "KB"
  if bytes >= MB then unit, name = MB, "MB" end
  local number = ("%.2f"):format(bytes / unit):gsub("%.?0+$", "")
  -- one byte too much must not look like the limit itself
  if bytes % unit ~= 0 and not number:find(".", 1, true) then return ("%.0f bytes"):format(bytes) end
  return number .. " " .. name
end

local function matches(given, parameters, allowed)
  local essence, wanted = mime.parse(allowed)
  if given ~= essence then return false end
  for name, value in pairs(wanted) do
    if (parameters[name] or ""):lower() ~= value then return false end
  end
  return true
end

local function takes(rule, essence, parameters)
  if not rule.types then return true end
  for _, allowed in ipairs(rule.types) do
    if matches(essence, parameters, allowed) then return true end
  end
  return false
end

-- The kind of message a file of this type is for, when nobody says it: a document when nothing else.
local function kind_of(rules, essence, parameters)
  for _, kind in ipairs(ORDER) do
    if takes(rules.kinds[kind], essence, parameters) then return kind end
  end
  return "document"
end

--- Checks a file against one rule.
---@param rule waba.MediaRule
---@param what string        what it is for: "the photo"
---@param media_type string
---@param size integer       bytes
---@return true|nil
---@return waba.Error? err  of kind "invalid", path "type" or "size"
function media_rules.check(rule, what, media_type, size)
  if not takes(rule, mime.parse(media_type)) then
    local allowed = table.concat(rule.types, ", ")
    return nil, errors.invalid("type", ("type is %s; %s takes %s"):format(media_type, what, allowed))
  end
  if size == 0 then return nil, errors.invalid("size", ("size is 0 bytes; %s can't be empty"):format(what)) end
  if size > rule.most then
    return nil, errors.invalid("size", ("size is %s; %s takes at most %s"):format(
      size_text(size), what, size_text(rule.most)))
  end
  return true
end

--- Checks a file before it is uploaded.
---@param rules waba.MediaRules
---@param media_type string
---@param size integer    bytes
---@param kind? string    the kind of message it is for; found by the type when not given
---@return true|nil
---@return waba.Error? err  of kind "invalid", path "type" or "size"
function media_rules.check_upload(rules, media_type, size, kind)
  local essence, parameters = mime.parse(media_type)
  local codecs = (parameters.codecs or ""):lower()
  if essence == "audio/ogg" and kind ~= "document" and codecs ~= "opus"
    and (codecs ~= "" or not takes(rules.kinds.audio, essence, parameters)) then
    return nil, errors.invalid("type",
      "type is audio/ogg; WhatsApp takes it with the Opus codec only: say audio/ogg; codecs=opus")
  end
  if size == 0 then return nil, errors.invalid("size", "size is 0 bytes; an empty file can't be sent") end
  local found = kind or kind_of(rules, essence, parameters)
  local valid, err = media_rules.check(rules.kinds[found], "a message of type " .. found, media_type, size)
  if valid then return true end
  local may_be_document = takes(rules.kinds.document, essence, parameters) and size <= rules.kinds.document.most
  if not kind and found ~= "document" and may_be_document then
    err.message = err.message .. ' (say as = "document" when it is to be sent as one)'
  end
  return nil, err
end

return media_rules
