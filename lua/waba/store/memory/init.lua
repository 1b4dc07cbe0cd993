-- The store in the memory of a process. The entries are lost when the process ends.

local class = require "waba.store.class"
local conversations = require "waba.store.memory.conversations"
local records = require "waba.store.memory.records"

---@class waba.MemoryStore : waba.Store
local Memory = class("memory", { durable = false })

-- The class of closed stores. Every method except `close` raises an error.
local Closed = { __name = Memory.__name }

function Closed.__index(store, name)
  if name == "close" then return Memory.close end
  error(store.title:gsub("^the ", "this ") .. " is closed", 3)
end

function Memory:close()
  setmetatable(self, Closed)
end

local memory = {}

---@param settings waba.StoreSettings
---@return waba.MemoryStore
function memory.new(settings)
  local store = setmetatable({
    attempts = settings.attempts, remember = settings.remember, lanes = settings.lanes, max = settings.max,
    title = settings.title, seen = settings.seen or records.new(), records = records.new(),
    conversations = {}, ready = { first = 1, last = 0 }, ready_bulk = { first = 1, last = 0 }, resting = {},
    dead = { first = 1, last = 0 }, ids = {}, count = 0, numbers = 0,
  }, Memory)
  store.names = conversations.name_store(store)
  return store
end

return memory
