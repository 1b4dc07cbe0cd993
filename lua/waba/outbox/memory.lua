-- The outbox of scripts, tests and small bots: everything is in this process and is gone with it.

local option = require "waba.option"
local outbox = require "waba.outbox.outbox"
local store = require "waba.store.memory"

local memory = {}

--- The options of `waba.outbox.memory`.
---@options waba.MemoryOutboxOptions : waba.OutboxOptions
local OPTIONS = option.with(outbox.OPTIONS, {
  max = { "integer>=0", 100000 },    -- entries that may wait; more are refused
  keep = { "number>0", 86400 },      -- seconds for which finished entries and their keys are known; they cost memory
})

--- An outbox in memory.
---@param options? waba.MemoryOutboxOptions
---@return waba.Outbox
function memory.new(options)
  local settings = outbox.settings(options, OPTIONS, "waba.outbox.memory")
  return outbox.new(store.new(settings), settings)
end

return memory
