-- The base of all stores of shared rate limits: runs the commands of rules.lua, and handles failures of the store.

local core = require "waba.core"
local errors = require "waba.errors"
local limiters = require "waba.pace.limiters"
local option = require "waba.option"
local printable = require "waba.printable"

local store = {}

--- The methods of all stores of rate limits.
---@options waba.PaceStoreOptions
store.OPTIONS = {
  unreachable = { '"continue"|"wait"', "continue" }, -- what a process does while the store cannot be reached:
                                       -- "continue" sends at a share of the rates, "wait" sends nothing
  share = { "number>0", 0.25 },        -- the share of the rates that this process uses while the store cannot be
                                       -- reached, at most 1: about 1 divided by the number of processes
  on_error = "fun(err: waba.Error)",   -- called when the store cannot be reached: at most once per second
}

-- Seconds until the next attempt after a failure. If an attempt took long, the pause is longer, because the
-- attempt may have blocked the process.
local PAUSE, FACTOR = 1, 10

--- A store of rate limits, for the option `pace` of `waba.client`.
---@class waba.PaceStore
local Store = {}
Store.__index = Store
Store.__name = "waba.PaceStore"

-- Calls the option `on_error`. An error that the function raises does not affect the message.
local function report(on_error, err)
  local ok, raised = pcall(on_error, err)
  if not ok then io.stderr:write("waba: on_error failed: ", printable.text(raised), "\n") end
end

--- Runs a command of rules.lua for one API key. Returns the reply; nil if the store cannot be reached.
---@param name string  the name of the key
---@param words (string|number)[]
---@return any[]|nil
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
    kind = "unavailable", retryable = true, message = ("%s cannot be reached: %s"):format(self.title, message),
  }
  if self.on_error then report(self.on_error, self.failure) end
  return nil
end

--- Returns the rate limiters of one API key, for waba.delivery.
Store.limiters = limiters.new

--- Checks the options of a store.
---@param options table|nil
---@param known table
---@param what string  the public function that takes the options, for errors
---@return table complete
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

--- Makes a store. `execute` runs a command, and returns the reply, or nil and an error text. `title` is the name of the
--- store in errors.
---@param execute fun(name: string, words: (string|number)[]): any[]|nil, string?
---@param title string
---@param settings table
---@return waba.PaceStore
function store.new(execute, title, settings)
  return setmetatable({
    execute = execute, title = title, waits = settings.unreachable == "wait", share = settings.share,
    on_error = settings.on_error, clock = settings.clock or core.clock,
    failure = nil, retry_at = 0, -- while the store cannot be reached: the error, and the time of the next attempt
  }, Store)
end

return store
