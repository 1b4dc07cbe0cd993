-- The journal of a gateway. Ring buffers keep the newest requests, messages and deliveries. The option `record` is a
-- file of mode 600, which gets a line of JSON for each accepted message. The line is written before the response is
-- sent, so that the file is complete however the process ends.

local core = require "waba.core"
local json = require "waba.emulator.json"

local journal = {}

---@class waba.emulator.Ring
---@field count integer  the number of entries that were ever added
local Ring = {}
Ring.__index = Ring
Ring.__name = "waba.emulator.Ring"

--- Makes an empty ring buffer for `capacity` entries. `forget` is called with each entry that is removed to make
--- room for a new one.
function journal.ring(capacity, forget)
  return setmetatable({ capacity = capacity, forget = forget or function() end, entries = {}, count = 0 }, Ring)
end

--- Adds an entry, and sets its field `sequence` to its number; the first entry has 1.
function Ring:add(entry)
  self.count = self.count + 1
  entry.sequence = self.count
  local place = (self.count - 1) % self.capacity + 1
  if self.entries[place] then self.forget(self.entries[place]) end
  self.entries[place] = entry
  return entry
end

--- Returns the entries that are kept, oldest first.
function Ring:list(wanted)
  local list = {}
  for sequence = math.max(1, self.count - self.capacity + 1), self.count do
    local entry = self.entries[(sequence - 1) % self.capacity + 1]
    if not wanted or wanted(entry) then list[#list + 1] = entry end
  end
  return list
end

-- The record --------------------------------------------------------------------------------------

---@class waba.emulator.Record
local Record = {}
Record.__index = Record
Record.__name = "waba.emulator.Record"

--- Opens the file of a record, to append to it.
function journal.open_record(path)
  core.make_private(path) -- if this fails, opening the file returns the error
  local file, message = io.open(path, "ab")
  if not file then return nil, "the file of the record cannot be opened: " .. message end
  -- No buffer is used, because the process may be killed at any time.
  file:setvbuf("no")
  return setmetatable({ file = file }, Record)
end

--- Adds an entry of the gateway's messages. Raises an error if the line can't be written.
function Record:add(hosting, message)
  assert(self.file:write(json.encode({ hosting = hosting, id = message.id, to = message.to, type = message.type,
    content = message.content, at = message.at }) .. "\n"))
end

return journal
