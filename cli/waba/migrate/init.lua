-- `waba.migrate`: converts messages and stored requests from On-Premise hosting to Cloud hosting, and lists the
-- differences.

local errors = require "waba.errors"
local entries = require "waba.migrate.entry"
local lines = require "waba.migrate.lines"
local report = require "waba.migrate.report"
local summaries = require "waba.migrate.summary"
local text = require "waba.migrate.text"

local migrate = {}

--- The result for one line. The result for a message also has the fields of `waba.Migration`. For a request, `cloud`
--- is `{ method, path, query, body }`.
---@class waba.ScannedLine
---@field line integer      the line number in the file
---@field kind "message"|"request"|"broken"
---@field method string|nil the method of a request
---@field path string|nil   the path of a request; nil for a message
---@field type string|nil   the type of a message; nil for a request
---@field on_premise table|nil
---@field cloud table|nil   nil if there is no counterpart, or if the result is invalid on Cloud hosting
---@field changes waba.migrate.Change[]
---@field lacking waba.migrate.Lack[]
---@field error string|nil  the reason why the line could not be read

---@class waba.MigrateModule
---@field message fun(message: table): waba.Migration|nil, waba.Error?
---@field scan fun(path: string|userdata|table, fn: fun(read: waba.ScannedLine)?): waba.ScanSummary|nil, waba.Error?

--- Returns the bodies of a message for both hostings, and lists the fields that change and the fields without a
--- counterpart. Accepts a message from a builder, or the stored body of a request to On-Premise hosting. HSM messages
--- become templates.
---@param message table  a message from `waba.text` or another builder, optionally with the recipient in `to`
---@return waba.Migration|nil
---@return waba.Error? err  kind "invalid": the argument is not a table
function migrate.message(message)
  return report.message(message)
end

local function print_line(read)
  for _, line in ipairs(text.of_line(read)) do print((line:gsub("%c", "?"))) end
end

local function open(path)
  if type(path) ~= "string" then return path end
  local file, message = io.open(path, "rb")
  if file then return file end
  return nil, errors.invalid("path", "path can't be read: " .. message)
end

--- Reads a file of stored requests, one JSON object on each line: the body of a message, or an object with `method`,
--- `path` and `body`. Reports for each line the fields that change and the fields without a counterpart. Only one line
--- is in memory at a time. Reports a line that can't be read, and continues with the next one.
---@param path string|userdata|table  the path of a file, or an open file such as `io.stdin`, which is not closed
---@param fn? fun(read: waba.ScannedLine)  called with each result; by default the results and the summary are printed
---@return waba.ScanSummary|nil
---@return waba.Error? err  kind "invalid": the file can't be read
function migrate.scan(path, fn)
  local is_own = type(path) == "string"
  if not is_own and (type(path) ~= "userdata" and type(path) ~= "table" or not path.read) then
    error("waba.migrate.scan: the path must be a string or an open file, not a " .. type(path), 2)
  end
  if fn ~= nil and type(fn) ~= "function" then
    error("waba.migrate.scan: the second argument must be a function, not a " .. type(fn), 2)
  end
  local file, err = open(path)
  if not file then return nil, err end
  local summary, report_line = summaries.new(), fn or print_line
  local each, state = lines.each(file)
  for number, bytes, is_too_long in each do
    local read = is_too_long and entries.too_long() or entries.read(bytes)
    read.line = number
    summary:add(read)
    report_line(read)
  end
  if is_own then file:close() end
  if state.message then
    local name = is_own and path .. ": " or ""
    return nil, errors.invalid("path", "path can't be read: " .. name .. state.message)
  end
  local result = summary:result()
  if not fn then
    for _, line in ipairs(text.of_summary(result)) do print((line:gsub("%c", "?"))) end
  end
  return result
end

return migrate
