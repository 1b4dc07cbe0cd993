-- Stores webhooks that arrive together by one call of the inbox. An inbox that writes to the disk in each `put` stores
-- many events as fast as one event; the gateway sends six or more webhooks at a time.

local core = require "waba.core"
local errors = require "waba.errors"

local group = {}

-- The number of events after which a group is full, and the seconds after which the first coroutine of a group is
-- considered dead.
local FULL, STALE = 500, 5

local function is_open(current)
  return current ~= nil and #current.events < FULL and core.clock() - current.since < STALE
end

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

--- Makes a function that stores events in an inbox together with the events of other coroutines. The first coroutine
--- waits briefly, so that other coroutines can add their events, and then stores all events. Either all events of a
--- group are stored, or none; each call returns the result.
---@param inbox waba.Inbox|waba.Work
---@param pause fun()  a function that lets other coroutines run
---@param new_latch fun(): { wait: fun(self, seconds: number): any, open: fun(self, waiting: integer) }
---@return fun(events: waba.Event[], sources: table<integer, string>?): integer|nil, waba.Error?
function group.new(inbox, pause, new_latch)
  local current

  return function(events, sources)
    if is_open(current) then
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
    if mine.followers > 0 then mine.latch:open(mine.followers) end
    return mine.stored, mine.err
  end
end

return group
