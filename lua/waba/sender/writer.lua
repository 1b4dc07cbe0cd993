-- Stores the changes of several entries in one call of the store. The coroutine with the first change waits a short
-- time for the changes of other coroutines, and then stores all of them.

local coroutines = require "waba.coroutines"
local errors = require "waba.errors"
local runtime = require "waba.runtime"
local waiters = require "waba.transport.waiter"

---@class waba.SenderWriter
---@field active integer  the number of entries that are being sent; with one entry, `write` does not wait for other
---        changes
local Writer = {}
Writer.__index = Writer
Writer.__name = "waba.SenderWriter"

local writer = {}

local BEAT = 0.05 -- the seconds between two checks whether the coroutine that stores the changes has ended
-- The seconds for which a coroutine waits for the changes of other coroutines. With 0 seconds nginx would not run
-- another light thread.
local PAUSE = 0.001

function Writer:sleep(seconds)
  if self.transport then return self.transport:sleep(seconds) end
  runtime.sleep(seconds)
end

local function new_waiter(self)
  return self.transport and waiters.of(self.transport) or waiters.here()
end

local function flush(self)
  local items, changes, to_disk = self.pending, {}, false
  self.pending = {}
  for index, item in ipairs(items) do
    changes[index] = item.change
    to_disk = to_disk or item.to_disk
  end
  local ok, held, err = coroutines.pcall(self.store.settle, self.store, changes, nil, to_disk or nil)
  if not ok then held, err = nil, errors.new { kind = "unavailable", message = tostring(held), retryable = true } end
  for _, item in ipairs(items) do
    item.is_done, item.ok, item.err = true, held ~= nil, err
    if item.waiter then item.waiter:wake() end
  end
end

-- Stores the changes of all coroutines. Only one coroutine at a time may call this function.
local function lead(self)
  self.leader = coroutines.running() -- nil in the main program of Lua 5.1
  if self.active > 1 then self:sleep(PAUSE) end
  flush(self)
  self.leader = nil
  local next_item = self.pending[1] -- the first item that was added during the call of the store
  if next_item then next_item.waiter:wake() end
end

local function has_leader(self)
  return self.leader and not coroutines.is_dead(self.leader)
end

--- Stores a `waba.StoreChange`, and waits until the store has made the change. Returns true; or nil and an error.
function Writer:write(change, to_disk)
  local item = { change = change, to_disk = to_disk }
  self.pending[#self.pending + 1] = item
  while not item.is_done do
    if has_leader(self) then
      item.waiter = item.waiter or new_waiter(self)
      item.waiter:wait(BEAT)
    else
      lead(self)
    end
  end
  if item.ok then return true end
  return nil, item.err
end

---@return waba.SenderWriter
function writer.new(store, transport)
  return setmetatable({ store = store, transport = transport, pending = {}, active = 0 }, Writer)
end

return writer
