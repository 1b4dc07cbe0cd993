-- The outbox for scripts, tests and small bots: all entries are in the memory of this process and are lost when
-- the process ends.

local option = require "waba.option"
local outbox = require "waba.outbox.outbox"
local store = require "waba.store.memory"

local memory = {}

--- The options of `waba.outbox.memory`.
---@options waba.MemoryOutboxOptions : waba.OutboxOptions
local OPTIONS = option.with(outbox.OPTIONS, {
  max = { "integer>=0", 100000 },    -- the largest number of waiting entries; `put` refuses further entries
  keep = { "number>0", 86400 },      -- seconds for which finished entries and their keys are kept in memory
})

--- Makes an outbox in memory.
---@param options? waba.MemoryOutboxOptions
---@return waba.Outbox
function memory.new(options)
  local settings = outbox.settings(options, OPTIONS, "waba.outbox.memory")
  return outbox.new(store.new(settings), settings)
end

return memory
