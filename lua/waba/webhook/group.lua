-- Stores the events of webhooks that arrive at the same time in one call of the inbox. The gateway sends six or more
-- webhooks at a time, and an inbox on a disk stores many events in one call as fast as one event.

local core = require "waba.core"
local errors = require "waba.errors"

local group = {}

-- FULL: a group with this number of events accepts no more events. STALE: the seconds after which the coroutine that
-- stores the events of a group counts as dead.
local FULL, STALE = 500, 5

local function join(current, events, sources)
  for index, event in ipairs(events) do
    current.events[#current.events + 1] = event
    current.sources[#current.events] = sources and sources[index]
  end
end

local function follow(current)
  current.followers = current.followers + 1
  if not current.latch:wait(STALE) then
    return nil, errors.new {
      kind = "unavailable", retryable = true,
      message = ("the inbox did not store the webhook within %g seconds"):format(STALE),
    }
  end
  return current.stored, current.err
end

--- Returns a function with the parameters and results of `inbox:put`. The function stores events together with the
--- events of other coroutines. The first coroutine of a group calls `pause`, so that other coroutines can add their
--- events. Then the first coroutine stores all events of the group, or none. The function returns the same result to
--- all coroutines of a group.
---@param inbox waba.Inbox|waba.Work
---@param pause fun()  lets other coroutines run
---@param new_latch fun(): { wait: fun(self, seconds: number): any }
---@param open fun(latch: table, count: integer)  ends the `count` waits for the latch
---@return fun(events: waba.Event[], sources: table<integer, string>?): integer|nil, waba.Error?
function group.new(inbox, pause, new_latch, open)
  local current

  return function(events, sources)
    if current and #current.events < FULL and core.clock() - current.since < STALE then
      join(current, events, sources)
      return follow(current)
    end
    local mine = { events = {}, sources = {}, followers = 0, since = core.clock(), latch = new_latch() }
    join(mine, events, sources)
    current = mine
    pause()
    if current == mine then current = nil end
    local ok
    ok, mine.stored, mine.err = pcall(inbox.put, inbox, mine.events, mine.sources)
    if not ok then
      mine.stored, mine.err = nil, errors.new { kind = "unavailable", message = tostring(mine.stored) }
    end
    if mine.followers > 0 then open(mine.latch, mine.followers) end
    return mine.stored, mine.err
  end
end

return group
