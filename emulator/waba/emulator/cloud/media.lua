-- Media (cloud.md, section 3): uploading a form, the metadata with its temporary URL, the download,
-- deleting; and the block after too many errors.

local core = require "waba.core"

local answers = require "waba.emulator.cloud.answers"
local content = require "waba.emulator.cloud.content_rules"
local media_inspection = require "waba.emulator.media_inspection"
local media_store = require "waba.emulator.media_store"
local multipart = require "waba.emulator.multipart"
local random = require "waba.emulator.random"
local walker = require "waba.emulator.cloud.walker"

local media = {}

local DAY = 86400
--- Seconds a file is kept: an uploaded one, and one of a customer.
media.RETENTION, media.INBOUND = 30 * DAY, 7 * DAY
-- Seconds for which a URL is good.
local URL_LIFE = 300
-- What a form has beside its file.
local FORM_SPACE = 64 * 1024

--- The files of a gateway.
---@param gateway table
---@return table
function media.new(gateway)
  gateway.media_secret = random.hex(32)
  gateway.media_errors = {}
  return media_store.new(gateway, media.RETENTION, function() return random.digits(16) end)
end

-- ---- Uploading -------------------------------------------------------------------------------------

--- Where the form of an upload goes, and how long it may be.
---@param gateway table
---@return { limit: integer, file: string }
function media.expects(gateway)
  return { limit = gateway.options.max_media + FORM_SPACE, file = gateway.media:new_file() }
end

-- What is wrong with a form: a code and a sentence, or nil and the MIME type.
local function form_problem(gateway, parts)
  local product, file = parts.messaging_product, parts.file
  if not product or product.text ~= "whatsapp" then
    return 100, "The parameter messaging_product is required."
  elseif not file or not file.size then
    return 131008, "The part file, with a file name, is required."
  elseif file.size == 0 then
    return 131053, "The file is empty."
  elseif file.size > gateway.options.max_media then
    return 131053, ("The file is larger than %d bytes."):format(gateway.options.max_media), 413
  end
  local mime_type = parts.type and parts.type.text or file.type
  if not mime_type or not content.known_type(mime_type) then
    return 100, ("Param file must be a file with one of the supported types, not %s."):format(tostring(mime_type))
  end
  return nil, mime_type
end

local function upload(gateway, request)
  local boundary = multipart.boundary(request.headers["content-type"])
  if request.too_large then
    return answers.error(131053, ("The file is larger than %d bytes."):format(gateway.options.max_media), nil, 413)
  elseif not boundary or not request.file then
    return answers.error(100, "The body must be multipart/form-data.")
  end
  local target = gateway.media:new_file()
  local parts, problem = multipart.read(request.file, boundary, target)
  if not parts then return answers.error(100, problem) end
  local code, details, status = form_problem(gateway, parts)
  if not code and gateway.options.strict_media then
    local found = media_inspection.problem(details, target)
    code, details = found and 131053 or nil, found and "The file " .. found or details
  end
  if code then
    os.remove(target)
    return answers.error(code, details, nil, status)
  end
  local kept = gateway.media:add(target, { type = details, size = parts.file.size, sha256 = parts.file.sha256 })
  return answers.json(200, { id = kept.id })
end

-- ---- The block after too many errors ---------------------------------------------------------------

local function blocked(gateway)
  local rule = gateway.options.media_block
  if rule and gateway.media_blocked_until and gateway.clock:now() < gateway.media_blocked_until then
    return answers.meta(400, ("You have exceeded the limit of %d request every %d seconds"):format(rule.errors,
      rule.within))
  end
end

local function count_error(gateway)
  local rule, now = gateway.options.media_block, gateway.clock:now()
  if not rule then return end
  local recent = {}
  for _, at in ipairs(gateway.media_errors) do
    recent[#recent + 1] = now - at < rule.within and at or nil
  end
  recent[#recent + 1] = now
  if #recent >= rule.errors then recent, gateway.media_blocked_until = {}, now + rule.seconds end
  gateway.media_errors = recent
end

-- ---- Metadata, download, deleting ------------------------------------------------------------------

local function query_of(gateway, id, expires)
  local hash = core.hmac_sha256(gateway.media_secret, ("%s %d"):format(id, expires))
  -- A percent sign in it tells whether somebody encoded the URL anew.
  return ("mid=%s&ext=%d&hash=ATv%%2B%s"):format(id, expires, hash:sub(1, 32))
end

--- The temporary URL of a file, on Meta's host.
---@param gateway table
---@param kept waba.emulator.Media
---@return string
function media.url(gateway, kept)
  return "https://lookaside.fbsbx.com/whatsapp_business/attachments/?"
    .. query_of(gateway, kept.id, gateway.clock:timestamp() + URL_LIFE)
end

--- An error for an id that nobody knows.
---@param id string
---@return waba.emulator.Answer
function media.unknown(id)
  return answers.error(100, nil, { type = "GraphMethodException", error_subcode = 33,
    message = ("Unsupported get request. Object with ID '%s' does not exist, cannot be loaded due to missing"
      .. " permissions, or does not support this operation"):format(id) })
end

--- Answers GET /{media-id}.
---@param gateway table
---@param id string
---@return waba.emulator.Answer
function media.metadata(gateway, id)
  local refusal = blocked(gateway)
  if refusal then return refusal end
  local kept = gateway.media:get(id)
  if not kept then
    count_error(gateway)
    return media.unknown(id)
  end
  return answers.json(200, { messaging_product = "whatsapp", url = media.url(gateway, kept),
    mime_type = kept.type, sha256 = kept.sha256, file_size = tostring(kept.size), id = kept.id })
end

local function read_time(text)
  return text and #text <= 11 and text:find("^%d+$") and tonumber(text) or nil
end

local function download(gateway, request)
  local id, expires = request.query.mid, read_time(request.query.ext)
  local kept = id and gateway.media:get(id)
  local good = kept and expires and expires > gateway.clock:now()
    and request.target:match("%?(.*)$") == query_of(gateway, id, expires)
  if not good then return answers.meta(404, "Media not found or URL expired") end
  return { status = 200, file = kept.file, headers = { ["content-type"] = kept.type } }
end

--- Answers DELETE /{media-id}.
---@param gateway table
---@param id string
---@return waba.emulator.Answer
function media.delete(gateway, id)
  return gateway.media:remove(id) and answers.success() or media.unknown(id)
end

--- Finds what is wrong with a media id in a message; made for the rules' context.
---@param gateway table
---@return fun(id: string, kind: string, path: string): waba.emulator.Fault|nil
function media.finder(gateway)
  return function(id, kind, path)
    local kept, wanted = gateway.media:get(id), content.media[kind == "gif" and "video" or kind]
    if not kept then
      return walker.fault(100, "%s: there is no media with this id", path)
    elseif not media_store.type_fits(wanted, kept.type) then
      return walker.fault(131053, "%s: media of type %s cannot be sent as %s", path, kept.type, kind)
    elseif kept.size > wanted.max then
      return walker.fault(131053, "%s: media of %d bytes cannot be sent as %s, at most %d are allowed", path,
        kept.size, kind, wanted.max)
    end
  end
end

--- Adds the routes of this section. Those of a bare id are in objects.lua.
---@param route fun(method: string, path: string, handler: function)
function media.routes(route)
  route("POST", "media", upload)
  route("GET", "whatsapp_business/attachments", download)
end

return media
