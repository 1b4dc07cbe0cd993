-- Counts the results of a scan. The size of a summary is limited, however long the scanned file is.

local Summary = {}
Summary.__index = Summary

-- The largest number of fields, and of message types, that a summary counts separately.
local MOST_PLACES = 500

--- A field that changes, or has no counterpart, in at least one body.
---@class waba.migrate.Place
---@field path string    the path of a field, such as "contacts[].ims" for the field of any contact; for a request, the
---        endpoint, such as "PUT /v1/messages/{id}"
---@field says string    the description of the field's first occurrence
---@field count integer  the number of bodies with this field
---@field line integer   the line number of the field's first occurrence

--- The summary of a scan.
---@class waba.ScanSummary
---@field lines integer     the number of lines that are not empty
---@field messages integer
---@field requests integer  requests other than messages
---@field broken integer    lines that could not be read
---@field changed integer   messages and requests with fields that change
---@field lacking integer   messages and requests without a counterpart, or with a field without a counterpart
---@field types table<string, integer>  the number of messages by type
---@field changes waba.migrate.Place[]  the fields that change, the most frequent field first
---@field lacks waba.migrate.Place[]    the fields without a counterpart, the most frequent field first

-- Returns the name under which a field is counted. For a request that is not a message, the name contains the endpoint
-- instead of the path, because paths contain ids.
local function place_of(read, path)
  if not read.method then return path end
  if path ~= "path" then return read.type ~= nil and path or ("%s %s %s"):format(read.method, read.endpoint, path) end
  return ("%s %s"):format(read.method, read.endpoint or read.path)
end

-- Adds the fields in `list` (the changes, or the missing fields, of one line) to the counts. A field counts once per line.
local function count_places(places, read, list, description)
  local seen = {}
  for _, item in ipairs(list) do
    local path = place_of(read, item.path):gsub("%[%d+%]", "[]")
    local place = places.by_path[path]
    if not place and #places.list < MOST_PLACES then
      place = { path = path, says = item[description], count = 0, line = read.line }
      places.by_path[path], places.list[#places.list + 1] = place, place
    end
    if place and not seen[path] then place.count = place.count + 1 end
    seen[path] = true
  end
end

local function count_type(self, kind)
  if type(kind) ~= "string" then kind = "without a type" end
  if not self.types[kind] then
    if self.type_count >= MOST_PLACES then return end
    self.type_count = self.type_count + 1
  end
  self.types[kind] = (self.types[kind] or 0) + 1
end

function Summary:add(read)
  self.lines = self.lines + 1
  if read.kind == "broken" then
    self.broken = self.broken + 1
    return
  end
  local is_message = read.kind == "message" or read.type ~= nil
  local name = is_message and "messages" or "requests"
  self[name] = self[name] + 1
  if is_message then count_type(self, read.type) end
  if #read.changes > 0 then self.changed = self.changed + 1 end
  if #read.lacking > 0 then self.lacking = self.lacking + 1 end
  count_places(self.changes, read, read.changes, "what")
  count_places(self.lacks, read, read.lacking, "why")
end

local function sorted(places)
  table.sort(places.list, function(x, y)
    if x.count ~= y.count then return x.count > y.count end
    return x.path < y.path
  end)
  return places.list
end

function Summary:result()
  return {
    lines = self.lines, messages = self.messages, requests = self.requests, broken = self.broken,
    changed = self.changed, lacking = self.lacking, types = self.types,
    changes = sorted(self.changes), lacks = sorted(self.lacks),
  }
end

return function()
  return setmetatable({
    lines = 0, messages = 0, requests = 0, broken = 0, changed = 0, lacking = 0, types = {}, type_count = 0,
    changes = { list = {}, by_path = {} }, lacks = { list = {}, by_path = {} },
  }, Summary)
end
