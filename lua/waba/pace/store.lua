-- A store of shared rate limits: runs the commands that pace/rules.lua describes, and handles failures of the backend.

local core = require "waba.core"
local errors = require "waba.errors"
local limiters = require "waba.pace.limiters"
local option = require "waba.option"
local printable = require "waba.printable"

local store = {}

--- The options of all stores of rate limits.
---@options waba.PaceStoreOptions
store.OPTIONS = {
  unreachable = { '"continue"|"wait"', "continue" }, -- while the store can't be reached, "continue" sends at a share of
                                       -- the rates, and "wait" sends nothing
  share = { "number>0", 0.25 },        -- the share of the rates while the store can't be reached, at most 1. With
                                       -- the value 1/n, n processes together do not exceed the rates
  on_error = "fun(err: waba.Error)",   -- called when the store can't be reached, at most once per second
}

-- After a failed call, the store is not called for PAUSE seconds or FACTOR times the duration of the
-- call, whichever is longer.
local PAUSE, FACTOR = 1, 10

--- A store of rate limits, for the option `pace` of `waba.client`.
---@class waba.PaceStore
local Store = {}
Store.__index = Store
Store.__name = "waba.PaceStore"

--- Runs a command for the API key with the hash `name`. Returns the reply; nil if the store can't be reached.
function Store:run(name, words)
  local started = self.clock()
  local reply, message = self.execute(name, words)
  if reply then
    self.failure = nil
    return reply
  end
  local now = self.clock()
  self.retry_at = now + math.max(PAUSE, FACTOR * (now - started))
  self.failure = errors.new {
    kind = "unavailable", retryable = true, scope = "key",
    message = ("%s cannot be reached: %s"):format(self.title, message),
  }
  if self.on_error then
    local ok, raised = pcall(self.on_error, self.failure)
    if not ok then io.stderr:write("waba: on_error failed: ", printable.text(raised), "\n") end
  end
end

--- Returns the rate limiters of an API key.
Store.limiters = limiters.new

--- Checks the options of the public function `what`. Returns the options with their defaults.
function store.settings(options, known, what)
  local settings = option.complete(options, option.with(store.OPTIONS, known), what, 3)
  if settings.unreachable ~= "continue" and settings.unreachable ~= "wait" then
    error(('%s: option unreachable must be "continue" or "wait", not "%s"'):format(what, settings.unreachable), 3)
  end
  if settings.share > 1 then
    error(("%s: option share must be at most 1, the whole rate, not %s"):format(what, settings.share), 3)
  end
  return settings
end

--- Makes a store. `execute` runs a command, and returns the reply; or nil and an error text.
---@return waba.PaceStore
function store.new(execute, title, settings)
  return setmetatable({
    execute = execute, title = title, waits = settings.unreachable == "wait", share = settings.share,
    on_error = settings.on_error, clock = settings.clock or core.clock,
    failure = nil, retry_at = 0, -- while the store can't be reached: the error, and the time of the next call
  }, Store)
end

return store
