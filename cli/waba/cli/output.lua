-- Prints results: as lines of text, which have colours on a terminal only, or as JSON.

local core = require "waba.core"
local printable = require "waba.printable"

local output = {}

local COLOURS = { good = "32", bad = "31", dim = "2", strong = "1" }

local BROKEN = "can't write to standard output: "
local broken = false

--- Makes external text safe for a terminal: see `waba.printable`.
---@param text any
---@return string
output.printable = printable.text

--- Does the same as `printable`, and also replaces line breaks, so that external text cannot look like another line of
--- the output.
---@param text any
---@return string
output.one_line = printable.line

-- The value of errno for EPIPE on this system.
local BROKEN_PIPE = 32

-- Raises an error if writing failed. If the reader has closed the pipe (`| head`), there is no error message.
local function check_written(ok, message, code)
  if ok then return end
  broken = true
  error({ message = BROKEN .. tostring(message), is_quiet = code == BROKEN_PIPE }, 0)
end

--- Writes to standard output. An error ends the command with exit code 1, so that a script notices incomplete output.
function output.write(...)
  check_written(io.stdout:write(...))
end

--- Flushes standard output.
function output.flush()
  check_written(io.stdout:flush())
end

--- Returns whether writing to standard output has failed.
function output.is_broken()
  return broken
end

-- The value of errno for EBADF on this system.
local BAD_DESCRIPTOR = 9

--- Opens those standard streams that the shell has closed (`>&-`), because otherwise a socket or a journal would get
--- the descriptor of standard output.
---@return table kept  files that must stay open until the command ends
function output.open_closed()
  local kept = {}
  for _, stream in ipairs { io.stdin, io.stdout, io.stderr } do
    local _, _, code = stream:seek "cur"
    if code == BAD_DESCRIPTOR then kept[#kept + 1] = io.open("/dev/null", "r+") end
  end
  return kept
end

-- Returns whether to print colours: on a terminal, if NO_COLOR is not set.
local function has_colours(descriptor)
  local refused = os.getenv "NO_COLOR"
  return (refused == nil or refused == "") and os.getenv "TERM" ~= "dumb" and core.is_terminal(descriptor or 1)
end

--- Returns a text in a colour, if colours are printed.
function output.paint(colour, text, descriptor)
  if not has_colours(descriptor) then return text end
  return "\27[" .. COLOURS[colour] .. "m" .. text .. "\27[0m"
end

local REPLACEMENT = "\239\191\189" -- the replacement character U+FFFD

-- Converts a value to one that JSON can represent: omits functions, converts errors to objects, and replaces NaN and
-- infinity by null and invalid bytes of UTF-8 by U+FFFD.
local function plain(value)
  local kind = type(value)
  if kind == "string" then return printable.utf8(value, REPLACEMENT) end
  if kind == "number" and (value ~= value or value == math.huge or value == -math.huge) then return core.null end
  if kind == "function" then return nil end
  if kind ~= "table" then return value end
  local copy = {}
  for name, item in pairs(value) do copy[type(name) == "string" and plain(name) or name] = plain(item) end
  return copy
end

-- Returns the JSON escape of a character that must not reach a terminal.
local function escaped(character)
  local point = 0
  for index, byte in ipairs { character:byte(1, -1) } do
    point = index == 1 and byte % (#character == 2 and 32 or 16) or point * 64 + byte % 64
  end
  return ("\\u%04x"):format(point)
end

-- The value for an empty list, because lua-cjson writes every empty table as an object.
local EMPTY_LIST = {}

--- Returns a list that is written as a JSON array even if it is empty.
---@generic T
function output.list(list)
  return #list > 0 and list or EMPTY_LIST
end

--- Prints a value as one line of JSON.
function output.json(value)
  local text, message
  if value == EMPTY_LIST then text = "[]" else text, message = core.encode(plain(value)) end
  if not text then error("the result cannot be written as JSON: " .. tostring(message), 0) end
  -- lua-cjson writes every slash as "\/"
  text = printable.replace(text:gsub("\\(.)", { ["/"] = "/" }), escaped):gsub("\127", "\\u007f")
  output.write(text, "\n")
  output.flush()
end

--- Prints a line of text. The caller must pass external text through `printable` before.
function output.line(text)
  output.write(text, "\n")
end

local function width_of(text)
  return core.utf8_length(text) or #text
end

local function text_of(cell)
  return printable.line(type(cell) == "table" and cell.text or cell)
end

-- Returns the first characters of a text.
local function cut(text, width)
  if width_of(text) <= width then return text end
  local characters = {}
  for character in text:gmatch "[%z\1-\127\194-\244][\128-\191]*" do
    if #characters == width then break end
    characters[#characters + 1] = character
  end
  return table.concat(characters)
end

-- Returns the cells of a row as one line; all cells except the last are padded to the width of their column.
local function line_of(row, widths, width)
  local cells, used = {}, 0
  for i, cell in ipairs(row) do
    if used >= width then break end
    local text = cut(text_of(cell), width - used)
    local padding = i < #row and widths[i] - width_of(text) or 0
    cells[i] = (type(cell) == "table" and output.paint(cell.colour, text) or text) .. (" "):rep(padding)
    used = used + width_of(text) + padding + 2
  end
  return (table.concat(cells, "  "):gsub("%s+$", ""))
end

--- Aligns rows in columns; a column is as wide as its widest cell.
---@param rows (string|{ text: string, colour: string })[][]
---@param width? integer  the largest number of characters in a line; the rest is cut
function output.aligned(rows, width)
  local widths, lines = {}, {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, width_of(text_of(cell))) end
  end
  for i, row in ipairs(rows) do lines[i] = line_of(row, widths, width or math.huge) end
  return lines
end

--- Prints rows in columns; a column is as wide as its widest cell.
---@param rows (string|{ text: string, colour: string })[][]
function output.columns(rows)
  for _, line in ipairs(output.aligned(rows)) do output.line(line) end
end

--- Returns a duration as a short text, such as 15m.
function output.age(seconds)
  for _, unit in ipairs { { "d", 86400 }, { "h", 3600 }, { "m", 60 } } do
    if seconds >= 2 * unit[2] then return ("%d%s"):format(math.floor(seconds / unit[2]), unit[1]) end
  end
  return ("%ds"):format(math.max(0, math.floor(seconds)))
end

--- Splits a text into lines of at most `width` characters.
---@param text string
---@param width integer  in characters
function output.wrapped(text, width)
  local lines, line = {}, ""
  for word in printable.text(text):gmatch "%S+" do
    if line ~= "" and width_of(line) + 1 + width_of(word) > width then lines[#lines + 1], line = line, "" end
    line = line == "" and word or line .. " " .. word
  end
  lines[#lines + 1] = line
  return lines
end

--- Prints names and values, one per line. Skips values that are nil.
---@param pairs_in_order { [1]: string, [2]: any }[]
function output.fields(pairs_in_order)
  local rows = {}
  for _, pair in ipairs(pairs_in_order) do
    if pair[2] ~= nil then rows[#rows + 1] = { pair[1] .. ":", tostring(pair[2]) } end
  end
  output.columns(rows)
end

return output
