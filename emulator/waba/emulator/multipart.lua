-- Reads a body of multipart/form-data.

local core = require "waba.core"

local multipart = {}

-- The longest head of a part, and the longest text, in bytes.
local MAX_HEAD, MAX_TEXT = 8 * 1024, 64 * 1024

---@class waba.emulator.Part
---@field name string
---@field filename string|nil
---@field type string|nil     the Content-Type of the part
---@field text string|nil     the content of a part without a file name; nil if it is too long
---@field bytes string|nil    the content of a file
---@field sha256 string|nil   the SHA-256 of the file in hexadecimal

--- Returns the boundary in a Content-Type, if this is the type of a form.
---@param content_type string|nil
---@return string|nil
function multipart.boundary(content_type)
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

local function add_content(part, content)
  if not part.filename then
    part.text = #content <= MAX_TEXT and content or nil
    return
  end
  local hash = core.sha256()
  hash:update(content)
  part.bytes, part.sha256 = content, hash:hex()
end

--- Reads a form.
---@param body string
---@param boundary string
---@return table<string, waba.emulator.Part>|nil parts  the parts by name
---@return string? reason
function multipart.read(body, boundary)
  body = "\r\n" .. body -- there is no line break before the first boundary
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
    add_content(part, body:sub(head_end + 1, content_end - 1))
    parts[part.name] = part
  end
  return parts
end

return multipart
