-- `waba.migrate`: converts messages and stored requests from On-Premise hosting to Cloud hosting.

local errors = require "waba.errors"
local entries = require "waba.migrate.entry"
local report = require "waba.migrate.report"
local new_summary = require "waba.migrate.summary"
local text = require "waba.migrate.text"

local migrate = {}

--- The result for one line. The result for a message also has the fields of `waba.Migration`. For a request, `cloud`
--- is `{ method, path, query, body }`.
---@class waba.ScannedLine
---@field line integer      the line number in the file
---@field kind "message"|"request"|"broken"
---@field method string|nil the method of a request
---@field path string|nil   the path of a request; nil for a message
---@field type string|nil   the type of the message; nil for a request that sends no message
---@field on_premise table|nil
---@field cloud table|nil   nil if there is no counterpart, or if the result is invalid on Cloud hosting
---@field changes waba.migrate.Change[]
---@field lacking waba.migrate.Lack[]
---@field error string|nil  the reason why the line could not be read

---@class waba.MigrateModule
---@field message fun(message: table): waba.Migration|nil, waba.Error?
---@field scan fun(path: string|userdata|table, fn: fun(read: waba.ScannedLine)?): waba.ScanSummary|nil, waba.Error?

--- Returns the bodies of a message for both hostings, and lists the fields that change and the fields without a
--- counterpart. HSM messages become templates.
---@param message table  a message from a builder, or the stored body of a request to On-Premise hosting; may have a
---        recipient in `to`
---@return waba.Migration|nil
---@return waba.Error? err  of kind "invalid" if the argument is not a table, or is nested too deeply
function migrate.message(message)
  return report.message(message)
end

local function print_lines(lines)
  for _, line in ipairs(lines) do print((line:gsub("%c", "?"))) end
end

local BLOCK, LONGEST = 65536, 4 * 1024 * 1024 -- bytes; bodies of requests are shorter than LONGEST

-- Returns the next line, and whether the line is longer than LONGEST. The text of a longer line is not kept in memory.
-- Sets `state.message` after an error of the file.
local function next_line(state)
  local parts, length
  while true do
    if state.from > #state.block then
      local block, message = state.file:read(BLOCK)
      if not block then
        state.message = message
        break
      end
      state.block, state.from = block, 1
    end
    local at = state.block:find("\n", state.from, true)
    local part = state.block:sub(state.from, at and at - 1 or -1)
    state.from = at and at + 1 or #state.block + 1
    parts, length = parts or {}, (length or 0) + #part
    if length > LONGEST then parts = {} else parts[#parts + 1] = part end
    if at then break end
  end
  if parts then return table.concat(parts), length > LONGEST end
end

--- Reads a file of stored requests, one JSON object on each line: the body of a message, or an object with `method`,
--- `path` and `body`. Reports for each line the fields that change and the fields without a counterpart. Only one line
--- of the file is in memory at a time. A line that can't be read has a result of kind "broken".
---@param path string|userdata|table  the path of a file, or an open file such as `io.stdin`, which is not closed
---@param fn? fun(read: waba.ScannedLine)  called with each result; default: prints the results and the summary
---@return waba.ScanSummary|nil
---@return waba.Error? err  of kind "invalid" if the file can't be read
function migrate.scan(path, fn)
  local is_own = type(path) == "string"
  if not is_own and (type(path) ~= "userdata" and type(path) ~= "table" or not path.read) then
    error("waba.migrate.scan: the path must be a string or an open file, not a " .. type(path), 2)
  end
  if fn ~= nil and type(fn) ~= "function" then
    error("waba.migrate.scan: the second argument must be a function, not a " .. type(fn), 2)
  end
  local file, message = path, nil
  if is_own then file, message = io.open(path, "rb") end
  if not file then return nil, errors.invalid("path", "path can't be read: " .. message) end
  local summary, state, number = new_summary(), { file = file, block = "", from = 1 }, 0
  for bytes, is_too_long in next_line, state do
    number = number + 1
    if number == 1 then bytes = bytes:gsub("^\239\187\191", "") end -- removes a byte order mark
    if is_too_long or bytes:find "%S" then
      local read = is_too_long and entries.too_long() or entries.read(bytes)
      read.line = number
      summary:add(read)
      if fn then fn(read) else print_lines(text.of_line(read)) end
    end
  end
  if is_own then file:close() end
  if state.message then
    local name = is_own and path .. ": " or ""
    return nil, errors.invalid("path", "path can't be read: " .. name .. state.message)
  end
  local result = summary:result()
  if not fn then print_lines(text.of_summary(result)) end
  return result
end

return migrate
