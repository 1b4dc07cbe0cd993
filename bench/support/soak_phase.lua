-- One phase of a soak test: a client sends messages to a gateway that is killed during the phase. The phase releases
-- all resources at its end.

local core = require "waba.core"
local faults = require "bench.support.soak_faults"
local ledger = require "bench.support.soak_ledger"
local waba = require "waba"

local phases = {}

local Phase = {}
Phase.__index = Phase

local WORKERS, REPLIERS = 64, 8
local RECIPIENTS = 500

-- Every third message has the option `bulk`, and every twentieth the option `ordered`.
local IN_BULK, IN_ORDER = 3, 20

local NO_LIMIT = { rate = 1e6, burst = 1000000 }

local builders = {
  function(text) return waba.text(text) end,
  function(text) return waba.buttons { body = text, buttons = { { id = "yes", title = "Yes" } } } end,
  function(text) return waba.image { link = "https://example.org/soak.jpg", caption = text } end,
  function(text) return waba.template { name = "soak", language = "en", body = { text } } end,
}

local function message(number)
  local build = builders[number % 16 + 1] or builders[1]
  return ("+49151%08d"):format(number % RECIPIENTS), build(ledger.mark(number))
end

-- Checks the events of `on_event`: they report every call, and no request that the gateway may have accepted is
-- repeated.

local function watch(self)
  local open = {}
  self.open_calls = open
  return function(event)
    local state = open[event.call]
    if event.type == "start" then
      if state then self.ledger:blame "a call has started twice" end
      open[event.call] = "open"
    elseif not state then
      self.ledger:blame "a call has an event after its event `finish`"
    elseif event.type == "attempt" then
      if state == "uncertain" then self.ledger:blame "a message that may have been accepted was sent again" end
      if event.maybe_sent then open[event.call] = "uncertain" end
    elseif event.type == "finish" then
      open[event.call] = nil
    end
  end
end

-- Sending -----------------------------------------------------------------------------------------

local function enter(self, number, sent, err)
  self.ledger:enter(number, sent, err)
  local problem = err and faults.judge(self.hosting, err)
  if problem then self.ledger:blame(("message %d: %s"):format(number, problem)) end
  self.returned = self.returned + 1
  if self.returned == self.quarter and self.on_quarter then self.on_quarter() end
end

-- Sends the messages whose numbers `take` returns, one after the other, until `take` returns nil.
local function send_each(self, take)
  local number = take()
  while number do
    local to, content = message(number)
    local options = { bulk = number % IN_BULK == 0, ordered = number % IN_ORDER == 0 }
    enter(self, number, self.client:send(to, content, options))
    number = take()
  end
end

local function taker(first, last)
  local number = first - 1
  return function()
    if number < last then
      number = number + 1
      return number
    end
  end
end

local ways = {}

--- Sends the messages in several coroutines.
function ways.send(self, first, last)
  local take = taker(first, last)
  for _ = 1, WORKERS do waba.spawn(send_each, self, take) end
end

-- Returns a source of messages for send_all, with or without keys.
local function source(first, last, has_keys)
  local take = taker(first, last)
  return function()
    local number = take()
    if not number then return nil end
    local to, content = message(number)
    return to, content, has_keys and number or nil
  end
end

-- Sends the messages in a bulk run with a journal, while other coroutines send replies. The run is stopped and
-- continued.
local function bulk(self, first, last, has_keys)
  local first_reply = last - math.floor((last - first) / 10)
  local take = taker(first_reply, last)
  for _ = 1, REPLIERS do waba.spawn(send_each, self, take) end
  waba.spawn(function()
    local half, settled = math.floor((first_reply - first) / 2), 0
    for run = 1, 2 do
      local summary, err = self.client:send_all(source(first, first_reply - 1, has_keys), {
        concurrency = WORKERS, journal = self.journal, patience = 3600,
        stop = function() return run == 1 and settled >= half end,
        on_result = function(key, sent, failure)
          settled = settled + 1
          enter(self, has_keys and key or first + key - 1, sent, failure)
        end,
      })
      if not summary then error(err, 0) end
    end
  end)
end

function ways.bulk_of_keys(self, first, last) bulk(self, first, last, true) end

function ways.bulk_of_positions(self, first, last) bulk(self, first, last, false) end

-- Kills the gateway when half of the messages have a result.
local function kill_half_way(self)
  while self.returned < self.count / 2 do waba.sleep(0.005) end
  self.gateway:restart()
end

-- The end of a phase: no resource is left ---------------------------------------------------------

local function is_empty(queue) return queue:is_empty() end

local function check_idle(self)
  local client, transport = self.client, self.client.transport
  local left = {
    ["transfers in flight"] = transport.engine:in_flight() > 0,
    ["a call that waits for a transfer"] = transport.waiting > 0 or next(transport.waiters) ~= nil,
    ["a leader of the transport"] = next(transport.leaders) ~= nil,
    ["calls that have not finished"] = self.open_calls and next(self.open_calls) ~= nil,
    ["a conversation"] = client.ordering and client.ordering.sending > 0,
  }
  for _, class in ipairs { "messages", "other" } do
    left["a call in the queue of " .. class] = not is_empty(client.delivery.pace:queue(class))
  end
  for what, is_left in pairs(left) do
    if is_left then self.ledger:blame(("after %s there is still %s"):format(self.name, what)) end
  end
end

local function client_of(self, settings)
  return waba.client(self.gateway:options {
    timeout = settings.timeout, pace = { messages = NO_LIMIT, other = NO_LIMIT, pair = NO_LIMIT },
    retry = { attempts = 5, base = 0.05, max = 1 }, on_event = settings.is_watched and watch(self) or nil,
  })
end

--- The options of a phase.
---@class waba.SoakPhase
---@field hosting "on_premise"|"cloud"
---@field http2 boolean  false: HTTP/1.1
---@field way "send"|"bulk_of_keys"|"bulk_of_positions"
---@field is_watched? boolean  whether the events of `on_event` are checked; false by default

--- Sends the messages of a range, and releases all resources.
---@param range { first: integer, last: integer }
---@param fixture { gateway: table, ledger: table, folder: string, timeout: number }
---@param on_quarter? fun()  called when a quarter of the messages has been sent, and again at the end
function phases.run(plan, range, fixture, on_quarter)
  local name = ("%s over %s on %s hosting"):format(plan.way, plan.http2 and "HTTP/2" or "HTTP/1.1", plan.hosting)
  local self = setmetatable({
    name = name, hosting = plan.hosting, gateway = fixture.gateway, ledger = fixture.ledger, returned = 0,
    count = range.last - range.first + 1, on_quarter = on_quarter, journal = fixture.folder .. "/journal",
  }, Phase)
  self.quarter = math.ceil(self.count / 4)
  os.remove(self.journal)
  self.gateway:start(plan.hosting, plan.http2)
  self.client = client_of(self, { timeout = fixture.timeout, is_watched = plan.is_watched })
  local started = core.clock()
  waba.run(function()
    ways[plan.way](self, range.first, range.last)
    waba.spawn(kill_half_way, self)
  end)
  check_idle(self)
  if on_quarter then on_quarter() end
  self.client:close()
  self.gateway:stop()
  return { name = name, seconds = core.clock() - started, count = self.count }
end

return phases
