-- Media (on-premise.md, section 5): uploads, downloads, deletion, and the check of the media in a message.

local responses = require("waba.emulator.responses").on_premise
local files = require "waba.emulator.files"
local media_store = require "waba.emulator.media_store"
local random = require "waba.emulator.random"
local rules = require "waba.emulator.on_premise.message_rules"

local media = {}

-- Seconds for which 360dialog keeps a file.
local RETENTION = 14 * 86400

function media.new(gateway)
  gateway.find_media = media_store.finder(gateway, rules.media, { unknown = "not_found", wrong = "parameter_invalid" })
  return media_store.new(gateway, RETENTION, random.uuid)
end

-- Requests ----------------------------------------------------------------------------------------

-- Checks an upload. Returns an error code and a message, or nil.
local function upload_error(gateway, request, mime_type)
  if request.too_large then
    return "parameter_invalid", ("the file is larger than %d bytes"):format(gateway.options.max_media), 413
  elseif request.size == 0 then
    return "parameter_missing", "the body with the file's bytes is mandatory"
  elseif not mime_type or not mime_type:find("^%s*[%w!#$&^_.+-]+/[%w!#$&^_.+-]+%s*;?") then
    return "parameter_invalid", "Header 'Content-Type' must be the MIME type of the file"
  elseif mime_type:lower():find("^multipart/") then
    return "parameter_invalid", "the body must be the file's bytes, not a form"
  end
  local reason = gateway.options.strict_media and media_store.content_error(mime_type, files.read(request.file, 64))
  if reason then return "internal_error", "the file " .. reason end
end

local function upload(gateway, request)
  local mime_type = request.headers["content-type"]
  local code, details, status = upload_error(gateway, request, mime_type)
  if code then
    if request.file then os.remove(request.file) end
    return gateway:error(code, details, status)
  end
  local kept = gateway.media:add(request.file, { type = mime_type, size = request.size, sha256 = request.sha256 })
  return gateway:ok({ media = { { id = kept.id } } }, 201)
end

local function download(gateway, request)
  local kept = gateway.media:get(request.segments[3])
  if not kept then return gateway:error("not_found", "Could not find the requested media") end
  return { status = 200, file = kept.file, headers = {
    ["content-type"] = kept.type,
    ["content-disposition"] = "attachment; filename=" .. kept.id,
  } }
end

local function delete(gateway, request)
  if not gateway.media:remove(request.segments[3]) then
    return gateway:error("not_found", "Could not find the requested media")
  end
  return responses.json(200, {})
end

media.routes = {
  { "POST", "v1/media", upload },
  { "GET", "v1/media/*", download },
  { "DELETE", "v1/media/*", delete },
}

return media
