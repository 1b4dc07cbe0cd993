-- A file as one part of a multipart/form-data body (RFC 7578), as the Cloud gateway takes it. The file is
-- never held in memory: what stands before and behind it is made at once, its bytes go through in pieces.

local core = require "waba.core"
local file_pieces = require "waba.resource.media.file_pieces"

local form = {}

-- Bytes handed on at once; a string that has no more goes out whole.
local PIECE = 65536

-- Such a line can't be in the file: nobody knows 128 random bits before they are drawn.
local function new_boundary()
  local parts = { "waba-" }
  for i = 2, 5 do parts[i] = ("%08x"):format(math.floor(core.random() * 4294967296)) end
  return table.concat(parts)
end

-- A name between quotes, as browsers write it: what would end the quotes, or the line, is percent-encoded.
-- The backslash is too, which some readers take for an escape.
local function quoted(name)
  return '"' .. name:gsub('[%c"\\\127]', function(sign) return ("%%%02X"):format(sign:byte()) end) .. '"'
end

-- What stands before the file and behind it.
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

-- Pieces of a string.
local function pieces_of(bytes)
  local position = 1
  return function()
    if position > #bytes then return nil end
    local piece = bytes:sub(position, position + PIECE - 1)
    position = position + PIECE
    return piece
  end
end

-- The pieces of the file itself, from its beginning.
local function open(source)
  local body = source.body
  if type(body) == "string" then return pieces_of(body) end
  if body.reader then return body.reader end
  if source.pieces then source.pieces:close() end
  local pieces = file_pieces.new(body.file, 0, source.size)
  source.pieces = pieces
  return function() return pieces:next() end
end

-- One after another: what stands before the file, the file, what stands behind it.
local function body_of(source, before, behind)
  local body = { size = #before + source.size + #behind }
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
      -- a file that became shorter must not be filled up with what stands behind it
      return not (source.pieces and source.pieces.fault) and behind or nil
    end
  end
  -- The delivery sends it again only if it can start again, which a user's reader can't.
  function body.rewind()
    if body.used and type(source.body) == "table" and source.body.reader then return false end
    next_piece, stage, body.used = open(source), 1, false
    return true
  end
  body.rewind()
  return body
end

--- Puts a file into a form, in place of the bare file.
---@param source waba.UploadSource   changed: its body, and the media type of the whole
---@param fields string[][]          { name, value } of the parts that stand before it
---@param filename string
function form.wrap(source, fields, filename)
  local boundary, before, behind = frame(fields, filename, source.type)
  local inner = { body = source.body, size = source.size }
  source.offset, source.media_type = #before, "multipart/form-data; boundary=" .. boundary
  source.form = inner
  if type(inner.body) == "string" and #inner.body <= PIECE then
    source.body = before .. inner.body .. behind
  else
    source.body = body_of(inner, before, behind)
  end
end

--- Closes the file that was being read, and tells what went wrong with it.
---@param source waba.UploadSource
---@return string|nil fault
function form.close(source)
  local pieces = source.form and source.form.pieces
  if not pieces then return nil end
  pieces:close()
  return pieces.fault
end

return form
