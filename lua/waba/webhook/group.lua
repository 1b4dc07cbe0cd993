-- Lets webhooks that arrive together be stored together. An inbox that goes to the disk for each put
-- takes many events at once for the price of one; the gateway sends six and more webhooks at a time.

local core = require "waba.core"
local errors = require "waba.errors"

local group = {}

-- Events after which a group is full, and seconds after which its leader counts as gone.
local FULL, STALE = 500, 5

local function is_open(current)
  return current ~= nil and #current.events < FULL and core.clock() - current.since < STALE
end

local function join(current, events)
  for _, event in ipairs(events) do current.events[#current.events + 1] = event end
end

local function follow(current)
  current.followers = current.followers + 1
  if not current.gate:wait(STALE) then
    return nil, errors.new { kind = "unavailable", message = "the inbox took too long to store", retryable = true }
  end
  return current.stored, current.err
end

--- A function that puts events into an inbox together with those of other coroutines: the first one
--- waits for a moment, in which others may join, and stores for all. Either all of a group is stored
--- or nothing, and every one of them is told.
---@param inbox waba.Inbox
---@param pause fun()  lets the other coroutines that are ready run
---@param new_gate fun(): { wait: fun(self, seconds: number): any, open: fun(self, waiting: integer) }
---@return fun(events: waba.Event[]): integer|nil, waba.Error?
function group.new(inbox, pause, new_gate)
  local current

  return function(events)
    if is_open(current) then
      join(current, events)
      return follow(current)
    end
    local mine = { events = {}, followers = 0, since = core.clock(), gate = new_gate() }
    join(mine, events)
    current = mine
    pause()
    if current == mine then current = nil end
    local ok
    ok, mine.stored, mine.err = pcall(inbox.put, inbox, mine.events)
    if not ok then
      mine.stored, mine.err = nil, errors.new { kind = "unavailable", message = tostring(mine.stored) }
    end
    if mine.followers > 0 then mine.gate:open(mine.followers) end
    return mine.stored, mine.err
  end
end

return group
