-- The inbox of scripts, tests and small bots: everything is in this process and is gone with it.

local inbox = require "waba.inbox.inbox"
local option = require "waba.option"
local store = require "waba.store.memory"

local memory = {}

--- The options of `waba.inbox.memory`.
---@options waba.MemoryInboxOptions : waba.InboxOptions
local OPTIONS = option.with(inbox.OPTIONS, {
  remember = { "number>0", 2 * 86400 }, -- seconds for which duplicates are known; they cost memory
  max = { "integer>=0", 100000 },       -- events that may wait; more are refused
  seen = "table|userdata",              -- stores the keys of known events; with a shared dictionary of nginx
                                        -- (`ngx.shared.name`) all workers know the duplicates
})

--- An inbox in memory.
---@param options? waba.MemoryInboxOptions
---@return waba.Inbox
function memory.new(options)
  local settings = inbox.settings(options, OPTIONS, "waba.inbox.memory")
  return inbox.new(store.new(settings), settings, false)
end

return memory
