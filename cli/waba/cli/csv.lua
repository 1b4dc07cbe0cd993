-- Reads comma-separated values (RFC 4180), row by row: quoted fields with commas, quotes and line ends in them, a
-- byte order mark, CRLF, and what spreadsheets add: a line `sep=;` on top, and `="0151"` around a text that looks like
-- a number. Without a `sep` line the separator (comma, semicolon or tab) is detected from the names.

local core = require "waba.core"

local csv = {}

-- Reads one field that begins at a position; a quoted one may go on over several lines.
local function quoted_field(line, position, next_line)
  local parts = {}
  while true do
    local stop = line:find('"', position, true)
    if not stop then
      parts[#parts + 1] = line:sub(position) .. "\n"
      line, position = next_line(), 1
      if not line then return nil end
    else
      parts[#parts + 1] = line:sub(position, stop - 1)
      if line:sub(stop + 1, stop + 1) ~= '"' then return table.concat(parts), line, stop + 1 end
      parts[#parts + 1] = '"'
      position = stop + 2
    end
  end
end

local function read_row(line, separator, next_line)
  local row, position = {}, 1
  while true do
    local field
    if line:sub(position, position) == '"' then
      field, line, position = quoted_field(line, position + 1, next_line)
      if not field then return nil, "a quoted field has no end" end
      local after = line:sub(position, position)
      if after ~= "" and after ~= separator then return nil, "text follows a quoted field" end
    else
      local stop = line:find(separator, position, true) or #line + 1
      field, position = line:sub(position, stop - 1), stop
    end
    row[#row + 1] = field
    if position > #line then return row end
    position = position + 1
    if position > #line then
      row[#row + 1] = ""
      return row
    end
  end
end

local function separator_of(line)
  local best, most = ",", 0
  for _, candidate in ipairs { ",", ";", "\t" } do
    local _, count = line:gsub(candidate, "")
    if count > most then best, most = candidate, count end
  end
  return best
end

-- Unwraps `="0151"`, the form in which a spreadsheet keeps a text from becoming a number.
local function without_formula(field)
  return field:match '^="([^"]*)"$' or field
end

-- What a table is instead of comma-separated values in UTF-8.
local function foreign(first)
  if first:find "%z" or not core.utf8_length(first) then return "is not UTF-8: save the table as CSV, UTF-8" end
  if first:find "\r." then return "has the line ends of an old Mac: save the table as CSV, UTF-8" end
end

local function is_empty(values)
  for _, value in ipairs(values) do
    if value ~= "" then return false end
  end
  return true
end

-- The names without the blanks around them; a column without a name is nobody's.
local function read_names(line, separator, next_line)
  local names, message = read_row(line, separator, next_line)
  local seen = {}
  for i, name in ipairs(names or {}) do
    name = without_formula(name:match "^%s*(.-)%s*$")
    if seen[name] then return nil, ("two columns are called %s"):format(name) end
    names[i], seen[name] = name, name ~= "" or nil
  end
  return names, message
end

--- Goes through the rows of a file with a line of names on top. Rows in which all fields are empty are left out.
---@param lines fun(): string|nil
---@return string[]|nil names
---@return fun(): table<string, string>|nil|false, integer|string next_row  a row by names and the number of its first
---        line; nil at the end; or false and what is wrong. In place of it a message when there are no names
function csv.rows(lines)
  local number = 0
  local function next_line()
    local line = lines()
    if not line then return nil end
    number = number + 1
    return (line:gsub("\r$", ""))
  end
  local first = next_line()
  if not first then return nil, "the file is empty" end
  first = first:gsub("^\239\187\191", "")
  local problem = foreign(first)
  if problem then return nil, problem end
  local separator = first:match '^"?[sS][eE][pP]=(.)"?$'
  if separator then
    first = next_line()
    if not first then return nil, "the file is empty" end
    problem = foreign(first)
    if problem then return nil, problem end
  end
  separator = separator or separator_of(first)
  local names, message = read_names(first, separator, next_line)
  if not names then return nil, message end
  return names, function()
    local begins, values, fault
    repeat
      local line = next_line()
      if not line then return nil end
      begins = number
      values, fault = read_row(line, separator, next_line)
    until not values or not is_empty(values)
    if values and #values ~= #names then
      values, fault = nil, ("has %d fields, not %d"):format(#values, #names)
    end
    if not values then return false, ("line %d: %s"):format(begins, fault) end
    local row = {}
    for i, name in ipairs(names) do row[name] = without_formula(values[i]) end
    return row, begins
  end
end

return csv
