-- Paths that are an id alone: media by its number, and the sessions of resumable uploads (cloud.md,
-- sections 3.3, 3.5 and 3.6).

local core = require "waba.core"

local answers = require "waba.emulator.cloud.answers"
local media = require "waba.emulator.cloud.media"
local random = require "waba.emulator.random"

local objects = {}

-- Bytes of the largest file that gets a handle.
local MAX_FILE = 100 * 1024 * 1024

local TYPES = { ["image/jpeg"] = true, ["image/jpg"] = true, ["image/png"] = true, ["video/mp4"] = true,
  ["application/pdf"] = true }

local PREFIX = "upload:"

local function session_of(gateway, request)
  local id = request.segments[1]
  return id:sub(1, #PREFIX) == PREFIX and gateway.uploads[request.target:sub(2)] or nil
end

local function is_session(request)
  return request.segments[1] and request.segments[1]:sub(1, #PREFIX) == PREFIX and #request.segments == 1
end

-- ---- Sessions --------------------------------------------------------------------------------------

local function open_session(gateway, request)
  local query = request.query
  local length = tonumber(query.file_length)
  if not length or length < 1 or length % 1 ~= 0 or length > MAX_FILE then
    return answers.error(100, "file_length must be the number of bytes")
  elseif not TYPES[query.file_type or ""] then
    return answers.error(100, "file_type must be image/jpeg, image/png, video/mp4 or application/pdf")
  end
  local id = ("%sMTphdHRhY2htZW50Oj%s?sig=ARZ%s"):format(PREFIX, random.letters(32), random.letters(16))
  gateway.uploads[id] = { id = id, length = length, type = query.file_type, name = query.file_name, offset = 0,
    file = gateway.folder .. "/" .. random.uuid() }
  return answers.json(200, { id = id })
end

local function append(session, request)
  local from, to = assert(io.open(request.file, "rb")), assert(io.open(session.file, "ab"))
  repeat
    local piece = from:read(256 * 1024)
    if piece then assert(to:write(piece)) end
  until not piece
  from:close()
  to:close()
  session.offset = session.offset + request.size
end

local function finish(gateway, session)
  gateway.handles[session.handle] = { type = session.type, size = session.length, file = session.file }
  return answers.json(200, { h = session.handle })
end

local function receive(gateway, request)
  local session = session_of(gateway, request)
  local offset = tonumber(request.headers["file_offset"] or "")
  if not session then
    return media.unknown(request.segments[1])
  elseif session.handle then
    return answers.json(200, { h = session.handle })
  elseif not offset then
    return answers.error(100, "the header file_offset is required")
  elseif offset ~= session.offset then
    return answers.error(100, ("the header file_offset is %s, the session is at %d"):format(tostring(offset),
      session.offset))
  elseif request.too_large or session.offset + request.size > session.length then
    return answers.error(100, "more bytes than file_length says")
  end
  append(session, request)
  if session.offset < session.length then
    return answers.json(200, { id = session.id, file_offset = session.offset })
  end
  session.handle = "4:" .. core.base64(random.letters(45)) .. ":" .. core.base64(session.type) .. ":ARa"
    .. random.letters(24)
  return finish(gateway, session)
end

-- ---- Any id ----------------------------------------------------------------------------------------

--- Where the bytes of a session's file go.
---@param gateway table
---@param request waba.emulator.Request
---@return { limit: integer, file: string }|nil
function objects.expects(gateway, request)
  return is_session(request) and { limit = MAX_FILE, file = gateway.folder .. "/" .. random.uuid() } or nil
end

local function get(gateway, request)
  local id = request.segments[1]
  if not is_session(request) then
    return id:find("^%d+$") and media.metadata(gateway, id) or gateway:no_such_path()
  end
  local session = session_of(gateway, request)
  return session and answers.json(200, { id = session.id, file_offset = session.offset }) or media.unknown(id)
end

local function post(gateway, request)
  return is_session(request) and receive(gateway, request) or gateway:no_such_path()
end

local function delete(gateway, request)
  local id = request.segments[1]
  return id:find("^%d+$") and media.delete(gateway, id) or gateway:no_such_path()
end

--- Adds the routes of this section.
---@param route fun(method: string, path: string, handler: function)
function objects.routes(route)
  route("POST", "uploads", open_session)
  route("GET", "*", get)
  route("POST", "*", post)
  route("DELETE", "*", delete)
end

return objects
