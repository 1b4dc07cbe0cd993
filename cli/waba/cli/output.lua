-- Prints results as lines of text, with colours on a terminal, or as JSON.

local core = require "waba.core"
local printable = require "waba.printable"

local output = {}

local COLOURS = { good = "32", bad = "31", dim = "2", strong = "1" }

local broken = false -- whether a write to standard output has failed

output.printable, output.one_line = printable.text, printable.line

local EPIPE, EBADF = 32, 9 -- values of errno

-- Raises an error if writing has failed. The error is not printed if the reader of a pipe has ended (`waba … | head`).
local function check_written(ok, message, code)
  if ok then return end
  broken = true
  error({ message = "can't write to standard output: " .. tostring(message), is_quiet = code == EPIPE }, 0)
end

function output.write(...)
  check_written(io.stdout:write(...))
end

function output.flush()
  check_written(io.stdout:flush())
end

function output.is_broken()
  return broken
end

-- Opens /dev/null for each standard stream that the shell has closed (`>&-`), because otherwise a socket could get the
-- stream's descriptor. Returns the files, which must stay open until the command ends.
function output.open_closed()
  local kept = {}
  for _, stream in ipairs { io.stdin, io.stdout, io.stderr } do
    local _, _, code = stream:seek "cur"
    if code == EBADF then kept[#kept + 1] = io.open("/dev/null", "r+") end
  end
  return kept
end

function output.paint(colour, text, descriptor)
  if (os.getenv "NO_COLOR" or "") ~= "" or os.getenv "TERM" == "dumb" or not core.is_terminal(descriptor or 1) then
    return text
  end
  return "\27[" .. COLOURS[colour] .. "m" .. text .. "\27[0m"
end

-- Copies a value for JSON, without functions. NaN and infinity become null, and bytes that are not UTF-8 become U+FFFD.
local function plain(value)
  local kind = type(value)
  if kind == "string" then return printable.utf8(value, "\239\191\189") end
  if kind == "number" and (value ~= value or value == math.huge or value == -math.huge) then return core.null end
  if kind == "function" then return nil end
  if kind ~= "table" then return value end
  local copy = {}
  for name, item in pairs(value) do copy[type(name) == "string" and plain(name) or name] = plain(item) end
  return copy
end

local function escaped(character)
  local point = 0
  for index, byte in ipairs { character:byte(1, -1) } do
    point = index == 1 and byte % (#character == 2 and 32 or 16) or point * 64 + byte % 64
  end
  return ("\\u%04x"):format(point)
end

-- The value that `output.json` writes as []. lua-cjson writes every empty table as {}.
local EMPTY_LIST = {}

function output.list(list)
  return #list > 0 and list or EMPTY_LIST
end

-- Returns a list of all items of an iterator such as `client.templates:each`, or nil and an error.
function output.collect(next_item)
  local list = {}
  for item, err in next_item do
    if not item then return nil, err end
    list[#list + 1] = item
  end
  return list
end

-- Prints a value as one line of JSON. A list must come from `output.list`, because the list may be empty.
function output.json(value)
  local text, message
  if value == EMPTY_LIST then text = "[]" else text, message = core.encode(plain(value)) end
  if not text then error("the result cannot be written as JSON: " .. tostring(message), 0) end
  -- lua-cjson writes every slash as "\/"
  text = printable.replace(text:gsub("\\(.)", { ["/"] = "/" }), escaped):gsub("\127", "\\u007f")
  output.write(text, "\n")
  output.flush()
end

-- Prints a line of text. The caller must convert external text with `output.printable`.
function output.line(text)
  output.write(text, "\n")
end

local function width_of(text)
  return core.utf8_length(text) or #text
end

local function text_of(cell)
  return printable.line(type(cell) == "table" and cell.text or cell)
end

local function cut(text, width)
  if width_of(text) <= width then return text end
  local characters = {}
  for character in text:gmatch "[%z\1-\127\194-\244][\128-\191]*" do
    if #characters == width then break end
    characters[#characters + 1] = character
  end
  return table.concat(characters)
end

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

--- Returns rows as lines with aligned columns.
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

function output.columns(rows)
  for _, line in ipairs(output.aligned(rows)) do output.line(line) end
end

-- Returns a duration as a short text, such as 15m.
function output.age(seconds)
  for _, unit in ipairs { { "d", 86400 }, { "h", 3600 }, { "m", 60 } } do
    if seconds >= 2 * unit[2] then return ("%d%s"):format(math.floor(seconds / unit[2]), unit[1]) end
  end
  return ("%ds"):format(math.max(0, math.floor(seconds)))
end

function output.wrapped(text, width)
  local lines, line = {}, ""
  for word in printable.text(text):gmatch "%S+" do
    if line ~= "" and width_of(line) + 1 + width_of(word) > width then lines[#lines + 1], line = line, "" end
    line = line == "" and word or line .. " " .. word
  end
  lines[#lines + 1] = line
  return lines
end

function output.fields(pairs_in_order)
  local rows = {}
  for _, pair in ipairs(pairs_in_order) do
    if pair[2] ~= nil then rows[#rows + 1] = { pair[1] .. ":", tostring(pair[2]) } end
  end
  output.columns(rows)
end

return output
