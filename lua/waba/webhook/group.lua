-- Stores the events of webhooks that arrive at the same time in one call of the inbox. The gateway sends six or more
-- webhooks at a time. One call with many events costs less than several calls; an inbox on a disk stores many events in
-- one call as fast as one event.

local core = require "waba.core"
local errors = require "waba.errors"

local group = {}

-- FULL: a group with this number of events accepts no more events. LARGE: without `pause`, a webhook with this number of
-- events waits for no other webhook, because a larger call would cost hardly less for each event. STALE: the seconds
-- after which the coroutine that stores the events of a group counts as dead. AT_ONCE: the number of groups that are
-- stored at once without `pause`; with several, the process reads webhooks while the inbox stores others.
local FULL, LARGE, STALE, AT_ONCE = 500, 16, 5, 3

local function join(current, events, sources)
  for index, event in ipairs(events) do
    current.events[#current.events + 1] = event
    current.sources[#current.events] = sources and sources[index]
  end
end

-- Waits until the events of a group are stored. Returns false if this takes more than STALE seconds.
local function wait_for(one, new_latch)
  one.latch = one.latch or new_latch()
  one.followers = one.followers + 1
  return one.latch:wait(STALE)
end

local function follow(current, new_latch)
  if not wait_for(current, new_latch) then
    return nil, errors.new {
      kind = "unavailable", retryable = true,
      message = ("the inbox did not store the webhook within %g seconds"):format(STALE),
    }
  end
  return current.stored, current.err
end

local function remove(list, one)
  for index, other in ipairs(list) do
    if other == one then return table.remove(list, index) end
  end
end

local function is_alive(one) return core.clock() - one.since < STALE end

--- Returns a function with the parameters and results of `inbox:put`. The function stores events together with the
--- events of other coroutines. The first coroutine of a group calls `pause`, so that other coroutines can add their
--- events. Without `pause`, it waits while AT_ONCE groups are being stored. Then the first coroutine stores all events of
--- the group, or none. The function returns the same result to all coroutines of a group.
---@param inbox waba.Inbox|waba.Work
---@param pause? fun()  lets other coroutines run; nil: `inbox.put` lets other coroutines run
---@param new_latch fun(): { wait: fun(self, seconds: number): any }
---@param open fun(latch: table, count: integer)  ends the `count` waits for the latch
---@return fun(events: waba.Event[], sources: table<integer, string>?): integer|nil, waba.Error?
function group.new(inbox, pause, new_latch, open)
  local current, storing = nil, {}

  return function(events, sources)
    if not pause and #events >= LARGE then return inbox:put(events, sources) end
    if current and #current.events < FULL and is_alive(current) then
      join(current, events, sources)
      return follow(current, new_latch)
    end
    local mine = {
      events = {}, sources = {}, followers = 0, since = core.clock(), latch = nil, stored = nil, err = nil,
    }
    join(mine, events, sources)
    current = mine
    if pause then
      pause()
    elseif #storing >= AT_ONCE then
      local oldest = storing[1]
      if is_alive(oldest) then wait_for(oldest, new_latch) end
      remove(storing, oldest)
    end
    if current == mine then current = nil end
    storing[#storing + 1] = mine
    local ok
    ok, mine.stored, mine.err = pcall(inbox.put, inbox, mine.events, mine.sources)
    remove(storing, mine)
    if not ok then
      mine.stored, mine.err = nil, errors.new { kind = "unavailable", message = tostring(mine.stored) }
    end
    if mine.followers > 0 then open(mine.latch, mine.followers) end
    return mine.stored, mine.err
  end
end

return group
