-- The record of accepted messages in a file: a line of JSON for each, written before the answer leaves. What
-- stands there was accepted, however the process ended. The file has mode 600.

local core = require "waba.core"
local json = require "waba.emulator.json"

local record = {}

---@class waba.emulator.Record
local Record = {}
Record.__index = Record
Record.__name = "waba.emulator.Record"

--- Opens a record, to be added to.
---@param path string
---@return waba.emulator.Record|nil
---@return string? message
function record.open(path)
  core.make_private(path) -- on failure, opening the file returns the error
  local file, message = io.open(path, "ab")
  if not file then return nil, "the record cannot be written: " .. message end
  -- Each line goes to the system as it is: the process may be killed at any time.
  file:setvbuf("no")
  return setmetatable({ file = file }, Record)
end

--- Adds a message. Raises when it can't be written.
---@param hosting "on_premise"|"cloud"
---@param message table  as the gateway keeps it
function Record:add(hosting, message)
  assert(self.file:write(json.encode({ hosting = hosting, id = message.id, to = message.to, type = message.type,
    content = message.content, at = message.at }) .. "\n"))
end

return record
