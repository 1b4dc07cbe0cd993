-- The journal of a gateway. Ring buffers keep the newest requests, messages and deliveries. The option `record` is a
-- file of mode 600, which gets a line of JSON for each accepted message. The line is written before the response is
-- sent, so that the file is complete even if the process is killed.

local core = require "waba.core"
local json = require "waba.emulator.json"

local journal = {}

---@class waba.emulator.Ring
---@field count integer  the number of entries that were added so far
local Ring = {}
Ring.__index = Ring
Ring.__name = "waba.emulator.Ring"

--- Creates an empty ring buffer for `capacity` entries. `forget` is called with each entry that a new entry replaces.
function journal.ring(capacity, forget)
  return setmetatable({ capacity = capacity, forget = forget or function() end, entries = {}, count = 0 }, Ring)
end

--- Adds an entry, and sets its field `sequence`: 1 for the first entry, 2 for the second.
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

--- Opens the file of the option `record`, to append to it. Returns a function that appends a message; or nil and an
--- error message. The function raises an error if the line can't be written.
function journal.open_record(path)
  core.make_private(path) -- if the command fails, io.open fails too and returns the error
  local file, message = io.open(path, "ab")
  if not file then return nil, "option record: the file can't be opened: " .. message end
  file:setvbuf("no") -- the file has no buffer, because the process may be killed at any time
  return function(hosting, entry)
    assert(file:write(json.encode({ hosting = hosting, id = entry.id, to = entry.to, type = entry.type,
      content = entry.content, at = entry.at }) .. "\n"))
  end
end

return journal
