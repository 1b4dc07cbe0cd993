-- `waba.migrate`: the way from On-Premise hosting to Cloud hosting. Renders messages for both, and reads what a
-- program or a log has stored.

local errors = require "waba.errors"
local line = require "waba.migrate.line"
local lines = require "waba.migrate.lines"
local report = require "waba.migrate.report"
local summaries = require "waba.migrate.summary"
local words = require "waba.migrate.words"

local migrate = {}

--- What became of one line. Beside these fields it has those of `waba.Migration` when it is a message; in a request
--- `cloud` is `{ method, path, query, body }`.
---@class waba.ScannedLine
---@field line integer      its number in the file
---@field kind "message"|"request"|"broken"
---@field method string|nil of a request
---@field path string|nil   of a request
---@field type string|nil   of a message
---@field on_premise table|nil
---@field cloud table|nil   nil when it has no counterpart, or is not valid there
---@field changes waba.migrate.Change[]
---@field lacking waba.migrate.Lack[]
---@field error string|nil  of a broken line: what is wrong with it

---@class waba.MigrateModule
---@field message fun(given: table): waba.Migration|nil, waba.Error?
---@field scan fun(path: string|userdata|table, fn: fun(read: waba.ScannedLine)?): waba.ScanSummary|nil, waba.Error?

--- Renders a message for both hostings, and lists what changes and what has no counterpart. Takes a message from a
--- builder, or the body of a request to On-Premise hosting as it was stored; hsm messages become templates.
---@param message table  of `waba.text` and the like; a recipient may stand in `to`
---@return waba.Migration|nil
---@return waba.Error? err  of kind "invalid": it is no table
function migrate.message(message)
  return report.message(message)
end

local function print_line(read)
  for _, text in ipairs(words.of_line(read)) do print((text:gsub("%c", "?"))) end
end

local function open(path)
  if type(path) ~= "string" then return path end
  local file, message = io.open(path, "rb")
  if file then return file end
  return nil, errors.invalid("path", "path can't be read: " .. message)
end

--- Reads a file of stored requests, one JSON object on each line: the body of a message, or an object with `method`,
--- `path` and `body`. Says of each what changes and what has no counterpart. However long the file is, one line at a
--- time is in memory. A line that can't be read is told, and the next one is read.
---@param path string|userdata|table  or an open file, such as `io.stdin`, which stays open
---@param fn? fun(read: waba.ScannedLine)  gets each line; without it they are printed, and the summary at the end
---@return waba.ScanSummary|nil
---@return waba.Error? err  of kind "invalid": the file can't be read
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
  local summary, take = summaries.new(), fn or print_line
  local each, state = lines.each(file)
  for number, text, is_too_long in each do
    local read = is_too_long and line.too_long() or line.read(text)
    read.line = number
    summary:add(read)
    take(read)
  end
  if is_own then file:close() end
  if state.fault then return nil, errors.invalid("path", "path can't be read: " .. state.fault) end
  local result = summary:result()
  if not fn then
    for _, text in ipairs(words.of_summary(result)) do print((text:gsub("%c", "?"))) end
  end
  return result
end

return migrate
