-- Sends a file as one part of a multipart/form-data body (RFC 7578) to the Cloud gateway. The file is read in pieces.

local core = require "waba.core"
local file_pieces = require "waba.resource.media.file_pieces"

local form = {}

-- The number of bytes in a piece; a string that is not longer is sent as one piece.
local PIECE = 65536

-- The boundary has 128 random bits, so that the file cannot contain it.
local function new_boundary()
  local parts = { "waba-" }
  for i = 2, 5 do parts[i] = ("%08x"):format(math.floor(core.random() * 4294967296)) end
  return table.concat(parts)
end

-- Writes a name in quotes as browsers do: quotes and control characters are percent-encoded, and so are backslashes,
-- which some parsers read as escapes.
local function quoted(name)
  return '"' .. name:gsub('[%c"\\\127]', function(sign) return ("%%%02X"):format(sign:byte()) end) .. '"'
end

-- Returns the bytes of the form before and after the file.
local function frame(fields, filename, media_type)
  local boundary, lines = new_boundary(), {}
  local function add(line) lines[#lines + 1] = line end
  for _, field in ipairs(fields) do
    add("--" .. boundary)
    add("Content-Disposition: form-data; name=" .. quoted(field[1]))
    add("")
    add(field[2])
  end
  add("--" .. boundary)
  add(('Content-Disposition: form-data; name="file"; filename=%s'):format(quoted(filename)))
  add("Content-Type: " .. media_type)
  add("")
  add("")
  return boundary, table.concat(lines, "\r\n"), ("\r\n--%s--\r\n"):format(boundary)
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

-- Returns a function that returns the pieces of the file, from its beginning.
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
      -- if the file became shorter, the end of the form must not replace the missing bytes
      return not (source.pieces and source.pieces.error_message) and after or nil
    end
  end
  -- Returns whether the bytes can be sent again, which is the condition for a retry. A reader function can't start
  -- again.
  function body.rewind()
    if body.used and type(source.body) == "table" and source.body.reader then return false end
    next_piece, stage, body.used = open(source), 1, false
    return true
  end
  body.rewind()
  return body
end

--- Replaces the body of an upload by a form that contains the file.
---@param source waba.UploadSource   the upload, whose body and media type are replaced
---@param fields string[][]          { name, value } of the parts before the file
---@param filename string
function form.wrap(source, fields, filename)
  local boundary, before, after = frame(fields, filename, source.type)
  local inner = { body = source.body, size = source.size }
  source.offset, source.media_type = #before, "multipart/form-data; boundary=" .. boundary
  source.form = inner
  if type(inner.body) == "string" and #inner.body <= PIECE then
    source.body = before .. inner.body .. after
  else
    source.body = body_of(inner, before, after)
  end
end

--- Closes the file.
---@return string|nil message  the text of an error that occurred while the file was read
function form.close(source)
  local pieces = source.form and source.form.pieces
  if not pieces then return nil end
  pieces:close()
  return pieces.error_message
end

return form
