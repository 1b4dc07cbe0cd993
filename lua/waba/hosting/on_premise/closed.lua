-- The resources of the WhatsApp client that 360dialog keeps closed to its customers. They may be
-- opened one by one, through a support ticket; until then the gateway answers 403.

local closed = {}

-- Source: the seed list of on-premise.md, section 8.1. A path is closed when it is one of these or
-- lies below one; the open ones are exceptions from that.
local CLOSED = {
  "/v1/settings", "/v1/certificates", "/v1/account", "/v1/stats", "/metrics", "/v1/support", "/v1/users",
}
local OPEN = { "/v1/settings/profile", "/v1/settings/business/profile" }

-- One spelling for all spellings of a path: no query, no `%73`, no `//`, `.` or `..`, lower case.
local function plain(path)
  path = path:gsub("[?#].*$", "")
  path = path:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  local parts = {}
  for part in path:gmatch("[^/\\]+") do
    if part == ".." then
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part:lower()
    end
  end
  return "/" .. table.concat(parts, "/")
end

local function lies_below(path, roots)
  for _, root in ipairs(roots) do
    if path == root or path:sub(1, #root + 1) == root .. "/" then return true end
  end
  return false
end

--- Whether 360dialog keeps a path closed, in whatever spelling.
---@param path string  as in "/v1/settings/application"
---@return boolean
function closed.is_closed(path)
  path = plain(path)
  return lies_below(path, CLOSED) and not lies_below(path, OPEN)
end

return closed
