-- Reads a body of multipart/form-data from a file, piece by piece: texts are kept, a file goes into a
-- file of its own.

local core = require "waba.core"

local multipart = {}

local PIECE = 256 * 1024
-- Bytes of a part's head, and of a text.
local MAX_HEAD, MAX_TEXT = 8 * 1024, 64 * 1024

---@class waba.emulator.Part
---@field name string
---@field filename string|nil
---@field type string|nil     its Content-Type
---@field text string|nil     the content of a part without a file name
---@field size integer|nil    of a file
---@field sha256 string|nil

--- The boundary of a Content-Type, if it is a form's.
---@param content_type string|nil
---@return string|nil
function multipart.boundary(content_type)
  if not content_type or not content_type:lower():find("^%s*multipart/form%-data") then return nil end
  return content_type:match("[Bb][Oo][Uu][Nn][Dd][Aa][Rr][Yy]=\"([^\"]+)\"")
    or content_type:match("[Bb][Oo][Uu][Nn][Dd][Aa][Rr][Yy]=([^;%s]+)")
end

-- A reader holds what was read and not yet taken.
local function fill(reader)
  local piece = reader.file:read(PIECE)
  if piece then reader.held = reader.held .. piece end
  return piece ~= nil
end

-- Takes everything before a mark, in pieces, and the mark.
local function take_until(reader, mark, sink)
  while true do
    local from, to = reader.held:find(mark, 1, true)
    if from then
      sink(reader.held:sub(1, from - 1))
      reader.held = reader.held:sub(to + 1)
      return true
    end
    local safe = #reader.held - #mark
    if safe > 0 then
      sink(reader.held:sub(1, safe))
      reader.held = reader.held:sub(safe + 1)
    end
    if not fill(reader) then return false end
  end
end

local function collector(most)
  local pieces, size = {}, 0
  return function(piece)
    size = size + #piece
    if size <= most then pieces[#pieces + 1] = piece end
  end, function() return size <= most and table.concat(pieces) or nil end
end

local function read_head(reader)
  local sink, text = collector(MAX_HEAD)
  if not take_until(reader, "\r\n\r\n", sink) or not text() then return nil end
  local head = {}
  for name, value in (text() .. "\r\n"):gmatch("([%w-]+):%s*(.-)\r\n") do
    head[name:lower()] = value
  end
  local disposition = head["content-disposition"] or ""
  return { name = disposition:match("[; ]name=\"([^\"]*)\"") or disposition:match("[; ]name=([^;%s]+)"),
    filename = disposition:match("filename=\"([^\"]*)\"") or disposition:match("filename=([^;%s]+)"),
    type = head["content-type"] }
end

-- Reads a part's content, up to the next boundary.
local function read_content(reader, part, mark, target)
  if not part.filename then
    local sink, text = collector(MAX_TEXT)
    local complete = take_until(reader, mark, sink)
    part.text = text()
    return complete
  end
  local file, hash = assert(io.open(target, "wb")), core.sha256()
  part.size = 0
  local complete = take_until(reader, mark, function(piece)
    part.size = part.size + #piece
    hash:update(piece)
    assert(file:write(piece))
  end)
  file:close()
  part.sha256 = hash:hex()
  return complete
end

local function read_parts(reader, boundary, target)
  local parts, mark = {}, "\r\n--" .. boundary
  if not take_until(reader, mark, function() end) then
    return nil, "the body of the form has no boundary line: expected the boundary of Content-Type"
  end
  while true do
    while #reader.held < 2 and fill(reader) do end
    if reader.held:sub(1, 2) == "--" then return parts end
    reader.held = reader.held:sub(3)
    local part = read_head(reader)
    if not part or not part.name then
      return nil, "a part of the form has no name: expected a Content-Disposition with name"
    end
    if not read_content(reader, part, mark, target) then
      return nil, "the form ends within a part: expected a closing boundary"
    end
    parts[part.name] = part
  end
end

--- Reads a form.
---@param path string      the file with the body
---@param boundary string
---@param target string    where the file of the form goes
---@return table<string, waba.emulator.Part>|nil parts  by name
---@return string? reason
function multipart.read(path, boundary, target)
  local file = assert(io.open(path, "rb"))
  -- There is no line break before the first boundary.
  local reader = { file = file, held = "\r\n" }
  local parts, reason = read_parts(reader, boundary, target)
  file:close()
  if not parts then os.remove(target) end
  return parts, reason
end

return multipart
