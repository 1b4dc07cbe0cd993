-- Media (cloud.md, section 3): uploads in a form, resumable uploads, metadata with a temporary URL, downloads,
-- deletion, and the block of a program after too many errors.

local core = require "waba.core"
local encoding = require "waba.encoding"
local responses = require("waba.emulator.responses").cloud
local files = require "waba.emulator.files"
local common_rules = require "waba.emulator.cloud.common_rules"
local media_store = require "waba.emulator.media_store"
local random = require "waba.emulator.random"

local media = {}

-- Seconds for which an uploaded file is kept, and for which a URL is valid.
local RETENTION, URL_LIFE = 30 * 86400, 300
--- Seconds for which a customer's file is kept.
media.INBOUND = 7 * 86400
-- The largest size in bytes of all fields of a form together, without the file.
local FORM_SPACE = 64 * 1024
-- The largest head of a part of a form, and the largest text of a part, in bytes.
local MAX_HEAD, MAX_TEXT = 8 * 1024, 64 * 1024
-- The largest file of a resumable upload in bytes. The id of a resumable upload begins with PREFIX.
local MAX_FILE, PREFIX = 100 * 1024 * 1024, "upload:"

function media.new(gateway)
  gateway.media_secret = random.hex(32)
  gateway.media_errors, gateway.uploads, gateway.handles = {}, {}, {}
  gateway.find_media = media_store.finder(gateway, common_rules.media,
    { unknown = "invalid_parameter", wrong = "media_invalid" })
  return media_store.new(gateway, RETENTION, function() return random.digits(16) end)
end

-- The reading of a form ---------------------------------------------------------------------------

-- Returns the boundary in a header Content-Type; nil for types other than multipart/form-data.
local function boundary_of(content_type)
  if not content_type or not content_type:lower():find("^%s*multipart/form%-data") then return nil end
  return content_type:match("[Bb][Oo][Uu][Nn][Dd][Aa][Rr][Yy]=\"([^\"]+)\"")
    or content_type:match("[Bb][Oo][Uu][Nn][Dd][Aa][Rr][Yy]=([^;%s]+)")
end

local function read_head(text)
  local head = {}
  for name, value in text:gmatch("([%w-]+):%s*(.-)\r\n") do head[name:lower()] = value end
  local disposition = head["content-disposition"] or ""
  return { name = disposition:match("[; ]name=\"([^\"]*)\"") or disposition:match("[; ]name=([^;%s]+)"),
    filename = disposition:match("filename=\"([^\"]*)\"") or disposition:match("filename=([^;%s]+)"),
    type = head["content-type"] }
end

-- Returns the parts of a form by name; or nil and an error message. A file has `bytes`, `filename` and `type`. A part
-- without a file has `text`, or no field if the text is too long.
local function read_form(body, boundary)
  body = "\r\n" .. body -- inserts the line break that is missing before the first boundary
  local parts, mark = {}, "\r\n--" .. boundary
  local _, at = body:find(mark, 1, true)
  if not at then return nil, "the body of the form has no boundary line: expected the boundary of Content-Type" end
  while body:sub(at + 1, at + 2) ~= "--" do
    local _, head_end = body:find("\r\n\r\n", at + 1, true)
    local part = head_end and head_end - at <= MAX_HEAD and read_head(body:sub(at + 3, head_end))
    if not part or not part.name then
      return nil, "a part of the form has no name: expected a Content-Disposition with name"
    end
    local content_end
    content_end, at = body:find(mark, head_end + 1, true)
    if not at then return nil, "the form ends within a part: expected a closing boundary" end
    local content = body:sub(head_end + 1, content_end - 1)
    part.bytes = part.filename and content or nil
    part.text = not part.filename and #content <= MAX_TEXT and content or nil
    parts[part.name] = part
  end
  return parts
end

-- Uploads -----------------------------------------------------------------------------------------

local function is_session(request)
  return request.segments[1] and request.segments[1]:sub(1, #PREFIX) == PREFIX and #request.segments == 1
end

--- Returns the file for the body of an upload, and the largest size of the body; nil for other requests.
function media.expects(gateway, request)
  if request.path == "/media" then
    return { limit = gateway.options.max_media + FORM_SPACE, file = gateway.media:new_file() }
  elseif is_session(request) then
    return { limit = MAX_FILE, file = gateway.folder .. "/" .. random.uuid() }
  end
end

local function too_large(gateway)
  return responses.error("media_invalid",
    ("The file is too large: at most %d bytes are allowed."):format(gateway.options.max_media), nil, 413)
end

-- Checks the parts of a form. Returns the MIME type of the file in the form; or nil and the response that refuses the
-- form.
local function check_form(gateway, parts)
  local product, file, options = parts.messaging_product, parts.file, gateway.options
  if not product or product.text ~= "whatsapp" then
    return nil, responses.error("invalid_parameter", "The parameter messaging_product is required.")
  elseif not file or not file.bytes then
    return nil, responses.error("parameter_missing", "A part with the name \"file\" and a file name is required.")
  elseif file.bytes == "" then
    return nil, responses.error("media_invalid", "The file is empty: expected at least one byte.")
  elseif #file.bytes > options.max_media then
    return nil, too_large(gateway)
  end
  local mime_type = parts.type and parts.type.text or file.type
  if not mime_type or not common_rules.known_type(mime_type) then
    return nil, responses.error("invalid_parameter",
      ("Param file must be a file with one of the supported types, not %s."):format(tostring(mime_type)))
  end
  local reason = options.strict_media and media_store.content_error(mime_type, file.bytes)
  if reason then return nil, responses.error("media_invalid", "The file " .. reason) end
  return mime_type
end

local function upload(gateway, request)
  local boundary = boundary_of(request.headers["content-type"])
  if request.too_large then return too_large(gateway) end
  if not boundary or not request.file then
    return responses.error("invalid_parameter", "The body must be multipart/form-data.")
  end
  local parts, reason = read_form(files.read(request.file), boundary)
  if not parts then return responses.error("invalid_parameter", reason) end
  local mime_type, refusal = check_form(gateway, parts)
  if not mime_type then return refusal end
  local path, bytes, hash = gateway.media:new_file(), parts.file.bytes, core.sha256()
  files.write(path, bytes)
  hash:update(bytes)
  local kept = gateway.media:add(path, { type = mime_type, size = #bytes, sha256 = hash:hex() })
  return responses.json(200, { id = kept.id })
end

local function blocked(gateway)
  local rule = gateway.options.media_block
  if rule and gateway.media_blocked_until and gateway.clock:now() < gateway.media_blocked_until then
    return responses.meta(400, ("You have exceeded the limit of %d request every %d seconds"):format(rule.errors,
      rule.within))
  end
end

local function count_error(gateway)
  local rule, now = gateway.options.media_block, gateway.clock:now()
  if not rule then return end
  local recent = {}
  for _, at in ipairs(gateway.media_errors) do recent[#recent + 1] = now - at < rule.within and at or nil end
  recent[#recent + 1] = now
  if #recent >= rule.errors then recent, gateway.media_blocked_until = {}, now + rule.seconds end
  gateway.media_errors = recent
end

local function query_of(gateway, id, expires)
  local hash = core.hmac_sha256(gateway.media_secret, ("%s %d"):format(id, expires))
  -- The URL contains a percent sign, so that a client which encodes the URL a second time gets an error.
  return ("mid=%s&ext=%d&hash=ATv%%2B%s"):format(id, expires, hash:sub(1, 32))
end

--- Returns the temporary URL of a file, on Meta's host.
function media.url(gateway, kept)
  return "https://lookaside.fbsbx.com/whatsapp_business/attachments/?"
    .. query_of(gateway, kept.id, gateway.clock:timestamp() + URL_LIFE)
end

local function unknown(id)
  return responses.error("invalid_parameter", nil, { type = "GraphMethodException", error_subcode = 33,
    message = ("Unsupported get request. Object with ID '%s' does not exist, cannot be loaded due to missing"
      .. " permissions, or does not support this operation"):format(id) })
end

local function metadata(gateway, id)
  local refusal = blocked(gateway)
  if refusal then return refusal end
  local kept = gateway.media:get(id)
  if not kept then
    count_error(gateway)
    return unknown(id)
  end
  return responses.json(200, { messaging_product = "whatsapp", url = media.url(gateway, kept),
    mime_type = kept.type, sha256 = kept.sha256, file_size = tostring(kept.size), id = kept.id })
end

local function read_time(text) return text and #text <= 11 and text:find("^%d+$") and tonumber(text) or nil end

local function download(gateway, request)
  local id, expires = request.query.mid, read_time(request.query.ext)
  local kept = id and gateway.media:get(id)
  local good = kept and expires and expires > gateway.clock:now()
    and request.target:match("%?(.*)$") == query_of(gateway, id, expires)
  if not good then return responses.meta(404, "Media not found or URL expired") end
  return { status = 200, file = kept.file, headers = { ["content-type"] = kept.type } }
end

-- Resumable uploads (cloud.md, section 3.6) -------------------------------------------------------

local HANDLE_TYPES = { ["image/jpeg"] = true, ["image/jpg"] = true, ["image/png"] = true, ["video/mp4"] = true,
  ["application/pdf"] = true }

-- The id of an upload contains "?", so this function reads the id from the complete target of the request.
local function session_of(gateway, request) return gateway.uploads[request.target:sub(2)] end

local function open_session(gateway, request)
  local query = request.query
  local length = tonumber(query.file_length)
  if not length or length < 1 or length % 1 ~= 0 or length > MAX_FILE then
    return responses.error("invalid_parameter", ("file_length must be the number of bytes, 1 to %.0f, not %s"):format(
      MAX_FILE, tostring(query.file_length)))
  elseif not HANDLE_TYPES[query.file_type or ""] then
    return responses.error("invalid_parameter", "file_type must be image/jpeg, image/png, video/mp4 or "
      .. "application/pdf, not " .. tostring(query.file_type))
  end
  local id = ("%sMTphdHRhY2htZW50Oj%s?sig=ARZ%s"):format(PREFIX, random.letters(32), random.letters(16))
  gateway.uploads[id] = { id = id, length = length, type = query.file_type, name = query.file_name, offset = 0,
    file = gateway.folder .. "/" .. random.uuid() }
  return responses.json(200, { id = id })
end

local function append(session, request)
  local from, to = assert(io.open(request.file, "rb")), assert(io.open(session.file, "ab"))
  for piece in function() return from:read(256 * 1024) end do assert(to:write(piece)) end
  from:close()
  to:close()
  session.offset = session.offset + request.size
end

local function receive(gateway, request)
  local session = session_of(gateway, request)
  local offset = tonumber(request.headers["file_offset"] or "")
  if not session then
    return unknown(request.segments[1])
  elseif session.handle then
    return responses.json(200, { h = session.handle })
  elseif offset ~= session.offset then
    return responses.error("invalid_parameter",
      ("the header file_offset is %s: expected %d"):format(tostring(offset or "missing"), session.offset))
  elseif request.too_large or session.offset + request.size > session.length then
    return responses.error("invalid_parameter", ("the file has more bytes than file_length, %d"):format(session.length))
  end
  append(session, request)
  if session.offset < session.length then
    return responses.json(200, { id = session.id, file_offset = session.offset })
  end
  session.handle = "4:" .. encoding.base64(random.letters(45)) .. ":" .. encoding.base64(session.type) .. ":ARa"
    .. random.letters(24)
  gateway.handles[session.handle] = { type = session.type, size = session.length, file = session.file }
  return responses.json(200, { h = session.handle })
end

local function get_object(gateway, request)
  local id = request.segments[1]
  if not is_session(request) then
    return id:find("^%d+$") and metadata(gateway, id) or gateway:no_such_path()
  end
  local session = session_of(gateway, request)
  return session and responses.json(200, { id = session.id, file_offset = session.offset }) or unknown(id)
end

local function post_object(gateway, request)
  return is_session(request) and receive(gateway, request) or gateway:no_such_path()
end

local function delete_object(gateway, request)
  local id = request.segments[1]
  if not id:find("^%d+$") then return gateway:no_such_path() end
  return gateway.media:remove(id) and responses.success() or unknown(id)
end

media.routes = {
  { "POST", "media", upload },
  { "GET", "whatsapp_business/attachments", download },
  { "POST", "uploads", open_session },
  { "GET", "*", get_object },
  { "POST", "*", post_object },
  { "DELETE", "*", delete_object },
}

return media
