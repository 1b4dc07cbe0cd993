-- The library's own event loop: coroutines run by `waba.run`. They wait for engines, for each other
-- and for time; nothing else. One scheduler for each `run`, in plain Lua.

local core = require "waba.core"
local curl = require "waba.curl"
local heap = require "waba.transport.loop.heap"

local unpack = table.unpack or unpack -- luacheck: ignore 143
local FOREVER = 3600

---@type waba.Loop
local native = { name = "native" }

-- Coroutine to task. Weak, so that a scheduler that was left by an error takes its tasks along.
local tasks = setmetatable({}, { __mode = "k" })

--- The running coroutine's task; nil outside `waba.run`.
function native.task()
  local thread = coroutine.running()
  return thread and tasks[thread]
end

function native.is_alive(task)
  return task.scheduler.running and coroutine.status(task.thread) ~= "dead"
end

-- Suspends the running task until `resume_at`, or until somebody wakes it.
local function suspend(task, seconds)
  task.due = seconds and core.clock() + seconds or nil
  task.parked = true
  if task.due then heap.push(task.scheduler.sleepers, task) end
  coroutine.yield()
end

function native.wake(task)
  if not task.parked then return end
  task.parked = false
  task.due = nil
  local ready = task.scheduler.ready
  ready[#ready + 1] = task
end

function native.park(task, seconds)
  suspend(task, seconds)
end

function native.sleep(seconds)
  local task = native.task()
  local due = core.clock() + seconds
  repeat
    suspend(task, math.max(0, due - core.clock()))
  until core.clock() >= due
end

function native.wait(engine, seconds)
  local task = native.task()
  local engines = task.scheduler.engines
  engines[#engines + 1] = { engine = engine, task = task }
  suspend(task, seconds)
end

local function spawn(scheduler, fn, ...)
  local count, arguments = select("#", ...), { ... }
  local task = { scheduler = scheduler, parked = true }
  task.thread = coroutine.create(function() return fn(unpack(arguments, 1, count)) end)
  tasks[task.thread] = task
  scheduler.live = scheduler.live + 1
  native.wake(task)
  return task
end

--- Starts one more coroutine beside the running one. `waba.run` ends when all have ended.
---@param fn fun(...)
---@param ... any  its arguments
function native.spawn(fn, ...)
  local task = native.task()
  if not task then error("waba.spawn is called inside waba.run only", 2) end
  if type(fn) ~= "function" then error("waba.spawn: a function is needed, not a " .. type(fn), 2) end
  spawn(task.scheduler, fn, ...)
end

-- Keeps what the coroutine returned; raises what it raised, with the place where that was.
local function settle(scheduler, task, ok, ...)
  if not ok then
    local fault = ...
    if type(fault) == "string" then fault = debug.traceback(task.thread, fault) end
    error(fault, 0)
  end
  if coroutine.status(task.thread) == "dead" then
    scheduler.live = scheduler.live - 1
    task.results, task.result_count = { ... }, select("#", ...)
  elseif not task.parked then
    -- a yield of the program's own: let the others run, then go on
    scheduler.ready[#scheduler.ready + 1] = task
  end
end

-- Resumes everything that is ready now. What becomes ready meanwhile has its turn in the next round.
local function run_ready(scheduler)
  local ready = scheduler.ready
  scheduler.ready = {}
  for i = 1, #ready do
    settle(scheduler, ready[i], coroutine.resume(ready[i].thread))
  end
end

-- Sleepers whose time has come; those that were woken before have no due time any more.
local function wake_due(scheduler, now)
  local sleepers = scheduler.sleepers
  while sleepers[1] and (not sleepers[1].item.parked or sleepers[1].due ~= sleepers[1].item.due or sleepers[1].due <= now) do
    local entry = heap.pop(sleepers)
    if entry.due == entry.item.due then native.wake(entry.item) end
  end
  return sleepers[1] and sleepers[1].due - now or FOREVER
end

-- Waits for engines or time, then wakes those who waited for engines: they look for themselves.
local function wait(scheduler, seconds)
  local waiting = scheduler.engines
  scheduler.engines = {}
  if #waiting == 1 then
    waiting[1].engine:wait(seconds)
  else
    local engines = {}
    for i, entry in ipairs(waiting) do engines[i] = entry.engine end
    curl.wait(engines, seconds)
  end
  for _, entry in ipairs(waiting) do native.wake(entry.task) end
end

local function drive(scheduler)
  while scheduler.live > 0 do
    run_ready(scheduler)
    local left = wake_due(scheduler, core.clock())
    if #scheduler.ready == 0 and scheduler.live > 0 then
      if #scheduler.engines == 0 and not scheduler.sleepers[1] then
        error("waba.run: every coroutine waits for another one", 0)
      end
      wait(scheduler, math.max(0, left))
    elseif #scheduler.engines > 0 then
      wait(scheduler, 0)
    end
  end
end

--- Runs functions side by side, each in a coroutine of its own, until all have ended. Sends inside
--- them wait without holding the others up. An error raised in one is raised again here.
---@param fn fun(...): ...
---@param ... any  more functions to run beside it; what follows the last function is passed to each
---@return any ...  what the first function returned
function native.run(fn, ...)
  if type(fn) ~= "function" then error("waba.run: a function is needed, not a " .. type(fn), 2) end
  if native.task() then error("waba.run: already running; use waba.spawn", 2) end
  local functions, rest, count = { fn }, { ... }, select("#", ...)
  while type(rest[#functions]) == "function" do functions[#functions + 1] = rest[#functions] end
  local scheduler = { running = true, live = 0, ready = {}, engines = {}, sleepers = {} }
  local first
  for _, each in ipairs(functions) do
    local task = spawn(scheduler, each, unpack(rest, #functions, count))
    first = first or task
  end
  local ok, fault = pcall(drive, scheduler)
  scheduler.running = false
  if not ok then error(fault, 0) end
  return unpack(first.results, 1, first.result_count)
end

return native
