-- Reads comma-separated values (RFC 4180) row by row. The reader also accepts what spreadsheets write: a byte order
-- mark, a first line `sep=;`, and `="0151"` for a text of digits. Without a `sep` line, the separator is the comma,
-- the semicolon or the tab, whichever is most frequent in the first line.

local core = require "waba.core"

local csv = {}

-- Reads a quoted field, which may contain line ends. `position` is the position after the opening quote. Returns the
-- field, the line with the closing quote, and the position after the closing quote.
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
      if not field then return nil, "a quoted field has no closing quote" end
      local after = line:sub(position, position)
      if after ~= "" and after ~= separator then
        return nil, "text follows the closing quote of a field: expected a separator"
      end
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

local function without_formula(field)
  return field:match '^="([^"]*)"$' or field
end

local function encoding_error(first)
  if first:find "%z" or not core.utf8_length(first) then return "the file is not UTF-8: expected CSV in UTF-8" end
  if first:find "\r." then return "the lines end with CR: expected LF or CR LF" end
end

local function is_empty(values)
  for _, value in ipairs(values) do
    if value ~= "" then return false end
  end
  return true
end

local function read_names(line, separator, next_line)
  local names, message = read_row(line, separator, next_line)
  local seen = {}
  for i, name in ipairs(names or {}) do
    name = without_formula(name:match "^%s*(.-)%s*$")
    if seen[name] then return nil, ("two columns have the name %s: expected unique names"):format(name) end
    names[i], seen[name] = name, name ~= "" or nil
  end
  return names, message
end

--- Iterates over the rows of a file whose first line has the names of the columns. Skips rows in which all fields are
--- empty.
---@param lines fun(): string|nil
---@return string[]|nil names  the names of the columns; nil if they can't be read
---@return string|fun(): table<string, string>|nil|false, integer|string next_row  an error message if `names` is nil,
---        else an iterator. The iterator returns the fields of a row by the names of the columns, and the number of the
---        row's first line. After an invalid row, the iterator returns false and an error message
function csv.rows(lines)
  local number = 0
  local function next_line()
    local line = lines()
    if not line then return nil end
    number = number + 1
    return (line:gsub("\r$", ""))
  end
  local first, separator, message
  repeat
    first = next_line()
    if not first then return nil, "the file is empty: expected a line with the names of the columns" end
    if number == 1 then first = first:gsub("^\239\187\191", "") end
    message = encoding_error(first)
    if message then return nil, message end
    separator = separator or first:match '^"?[sS][eE][pP]=(.)"?$'
  until not separator or number == 2
  separator = separator or separator_of(first)
  local names
  names, message = read_names(first, separator, next_line)
  if not names then return nil, message end
  return names, function()
    local first_line, values, row_message
    repeat
      local line = next_line()
      if not line then return nil end
      first_line = number
      values, row_message = read_row(line, separator, next_line)
    until not values or not is_empty(values)
    if values and #values ~= #names then
      values, row_message = nil, ("has %d fields: expected %d, as in the first line"):format(#values, #names)
    end
    if not values then return false, ("line %d: %s"):format(first_line, row_message) end
    local row = {}
    for i, name in ipairs(names) do row[name] = without_formula(values[i]) end
    return row, first_line
  end
end

return csv
