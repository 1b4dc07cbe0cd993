-- Creates a request body of the type multipart/form-data (RFC 7578) that contains a file, for the Cloud gateway.

local core = require "waba.core"
local encoding = require "waba.encoding"
local file_pieces = require "waba.resource.media.file_pieces"

local form = {}

local PIECE = 65536 -- bytes in a piece

-- The boundary has 128 random bits, so that the file cannot contain it.
local function new_boundary()
  local parts = { "waba-" }
  for i = 2, 5 do parts[i] = ("%08x"):format(math.floor(core.random() * 4294967296)) end
  return table.concat(parts)
end

-- Percent-encodes quotes and control characters, as browsers do, and backslashes, which some parsers read as escapes.
local function quoted(name)
  return '"' .. encoding.percent(name, '[%c"\\\127]') .. '"'
end

local function frame(fields, filename, media_type)
  local boundary, parts = new_boundary(), {}
  for i, field in ipairs(fields) do
    local name, value = quoted(field[1]), field[2]
    parts[i] = ("--%s\r\nContent-Disposition: form-data; name=%s\r\n\r\n%s\r\n"):format(boundary, name, value)
  end
  parts[#parts + 1] = ('--%s\r\nContent-Disposition: form-data; name="file"; filename=%s\r\nContent-Type: %s\r\n\r\n')
    :format(boundary, quoted(filename), media_type)
  return boundary, table.concat(parts), ("\r\n--%s--\r\n"):format(boundary)
end

local function pieces_of(bytes)
  local position = 1
  return function()
    if position > #bytes then return nil end
    local piece = bytes:sub(position, position + PIECE - 1)
    position = position + PIECE
    return piece
  end
end

local function open(source)
  local body = source.body
  if type(body) == "string" then return pieces_of(body) end
  if body.reader then return body.reader end
  if source.pieces then source.pieces:close() end
  local pieces = file_pieces.new(body.file, 0, source.size)
  source.pieces = pieces
  return function() return pieces:next() end
end

local function body_of(source, before, after)
  local body = { size = #before + source.size + #after }
  local next_piece, stage
  function body.reader()
    body.used = true
    if stage == 1 then
      stage = 2
      return before
    end
    if stage == 2 then
      local piece = next_piece()
      if piece then return piece end
      stage = 3
      -- after a read error, the end of the form is not sent, so that the gateway does not accept an incomplete file
      return not (source.pieces and source.pieces.error_message) and after or nil
    end
  end
  -- Prepares a retry of the request. Returns false if the bytes come from a reader of the caller, because a reader
  -- can't start again.
  function body.rewind()
    if body.used and type(source.body) == "table" and source.body.reader then return false end
    next_piece, stage, body.used = open(source), 1, false
    return true
  end
  body.rewind()
  return body
end

--- Replaces the body and the media type of an upload by those of a form that contains the file.
---@param source waba.UploadSource
---@param fields string[][]          the parts before the file: { name, value } for each part
---@param filename string
function form.wrap(source, fields, filename)
  local boundary, before, after = frame(fields, filename, source.type)
  local inner = { body = source.body, size = source.size }
  source.offset, source.media_type = #before, "multipart/form-data; boundary=" .. boundary
  source.form = inner
  local is_short = type(inner.body) == "string" and #inner.body <= PIECE
  source.body = is_short and before .. inner.body .. after or body_of(inner, before, after)
end

---@return string|nil message  the text of a read error of the file
function form.close(source)
  local pieces = source.form and source.form.pieces
  if not pieces then return nil end
  pieces:close()
  return pieces.error_message
end

return form
