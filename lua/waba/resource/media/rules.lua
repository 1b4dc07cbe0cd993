-- Checks the size and the MIME type of a file by the rules of a hosting (`hosting/<name>/media.lua`).

local errors = require "waba.errors"
local mime = require "waba.resource.media.mime"

local KB, MB = 1024, 1024 * 1024

local rules = {}

---@class waba.MediaRule
---@field most integer      bytes
---@field types? string[]   MIME types; nil: any type

local function size_text(bytes)
  if bytes < KB then return bytes .. " bytes" end
  local unit, name = KB, "KB"
  if bytes >= MB then unit, name = MB, "MB" end
  local number = ("%.2f"):format(bytes / unit):gsub("%.?0+$", "")
  -- a size of one byte more than the limit must not have the same text as the limit
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

local function accepts(rule, essence, parameters)
  if not rule.types then return true end
  for _, allowed in ipairs(rule.types) do
    if matches(essence, parameters, allowed) then return true end
  end
  return false
end

local function kind_of(gateway, essence, parameters)
  for _, kind in ipairs { "audio", "image", "sticker", "video" } do
    if accepts(gateway.kinds[kind], essence, parameters) then return kind end
  end
  return "document"
end

---@param rule waba.MediaRule
---@param what string        the purpose of the file, for the error text: "the photo"
---@param media_type string
---@param size integer       bytes
---@return waba.Error? err
function rules.check(rule, what, media_type, size)
  if not accepts(rule, mime.parse(media_type)) then
    local allowed = table.concat(rule.types, ", ")
    return errors.invalid("type", ("type is %s; %s takes %s"):format(media_type, what, allowed))
  end
  if size == 0 then return errors.invalid("size", ("size is 0 bytes; %s can't be empty"):format(what)) end
  if size > rule.most then
    return errors.invalid("size", ("size is %s; %s takes at most %s"):format(
      size_text(size), what, size_text(rule.most)))
  end
end

---@param gateway table  the module hosting/<name>/media.lua
---@param media_type string
---@param size integer    bytes
---@param kind? string    the type of the message; default: by the MIME type
---@return waba.Error? err
function rules.check_upload(gateway, media_type, size, kind)
  local essence, parameters = mime.parse(media_type)
  local codecs = (parameters.codecs or ""):lower()
  if essence == "audio/ogg" and kind ~= "document" and codecs ~= "opus"
    and (codecs ~= "" or not accepts(gateway.kinds.audio, essence, parameters)) then
    return errors.invalid("type",
      "type is audio/ogg; WhatsApp accepts it with the Opus codec only: write audio/ogg; codecs=opus")
  end
  if size == 0 then return errors.invalid("size", "size is 0 bytes; an empty file can't be sent") end
  local found = kind or kind_of(gateway, essence, parameters)
  local err = rules.check(gateway.kinds[found], "a message of type " .. found, media_type, size)
  local may_be_document = accepts(gateway.kinds.document, essence, parameters) and size <= gateway.kinds.document.most
  if err and not kind and found ~= "document" and may_be_document then
    err.message = err.message .. ' (to send it as a document, set as = "document")'
  end
  return err
end

return rules
