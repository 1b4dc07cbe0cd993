-- The inbox for scripts, tests and small bots: all events are in the memory of this process and are lost when the
-- process ends.

local inbox = require "waba.inbox.inbox"
local option = require "waba.option"
local store = require "waba.store.memory"

local memory = {}

--- The options of `waba.inbox.memory`.
---@options waba.MemoryInboxOptions : waba.InboxOptions
local OPTIONS = option.with(inbox.OPTIONS, {
  remember = { "number>0", 2 * 86400 }, -- seconds for which duplicates are recognised; the keys of all events of this
                                        -- time use memory
  max = { "integer>=0", 100000 },       -- the largest number of waiting events; `put` refuses further events
  seen = "table|userdata",              -- stores the keys of recent events; with a shared dictionary of nginx
                                        -- (`ngx.shared.name`) all workers recognise the duplicates
})

--- Makes an inbox in memory.
---@param options? waba.MemoryInboxOptions
---@return waba.Inbox
function memory.new(options)
  local settings = inbox.settings(options, OPTIONS, "waba.inbox.memory")
  return inbox.new(store.new(settings), settings, false)
end

return memory
