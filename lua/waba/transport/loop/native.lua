-- The library's own event loop, which runs the coroutines of `waba.run`. A coroutine can wait for an engine, for
-- another coroutine, and for a time. Each call of `waba.run` has its own scheduler.

local coroutines = require "waba.coroutines"
local runtime = require "waba.runtime"

if runtime.is_nginx() then
  error("waba.run, waba.spawn: nginx itself is the event loop: expected ngx.thread.spawn", 0)
end

local core = require "waba.core"
local curl = require "waba.curl"
local heap = require "waba.transport.loop.heap"

local clock = core.clock
local resume, status, yield = coroutine.resume, coroutine.status, coroutine.yield
local blocking, running = runtime.loop "blocking", coroutines.running
local unpack = table.unpack or unpack
local FOREVER = 3600

---@type waba.Loop
local native = { name = "native" }

-- Tasks that have not ended, by coroutine.
local tasks = setmetatable({}, { __mode = "k" })

-- Returns nil outside of `waba.run`.
function native.task()
  local thread = running()
  return thread and tasks[thread]
end

function native.is_alive(task)
  return task.thread ~= nil and status(task.thread) ~= "dead"
end

-- A task that was woken early stays in the heap of sleepers. The task is moved at once only if its new time is earlier;
-- otherwise `wake_due` moves it.
function native.park(task, seconds)
  local due = clock() + seconds
  task.due, task.parked = due, true
  if not task.place or task.listed > due then heap.put(task.group.sleepers, task, due) end
  yield()
end

function native.wake(task)
  if not task.parked then return end
  task.parked, task.due, task.engine = false, nil, nil
  local ready = task.group.ready
  ready[#ready + 1] = task
end

function native.sleep(seconds)
  local task = native.task()
  if not task then return blocking.sleep(seconds) end
  if seconds <= 0 then return yield() end -- under Lua 5.1, `yield` raises an error in a metamethod
  local due = clock() + seconds
  repeat
    native.park(task, math.max(0, due - clock()))
  until clock() >= due
end

function native.wait(task, engine, seconds)
  if not task then return blocking.wait(nil, engine, seconds) end
  local waiting = task.group.waiting
  waiting[#waiting + 1] = task
  task.engine, task.patience = engine, seconds
  task.parked = true
  yield()
end

local function spawn(scheduler, fn, ...)
  local count, arguments = select("#", ...), { ... }
  local task = { group = scheduler, parked = true }
  task.thread = coroutine.create(function() return fn(unpack(arguments, 1, count)) end)
  tasks[task.thread] = task
  scheduler.tasks[task] = true
  scheduler.live = scheduler.live + 1
  native.wake(task)
  return task
end

-- Removes a task that has ended, so that its coroutine can be collected.
local function reap(task)
  tasks[task.thread] = nil
  task.group.tasks[task] = nil
  task.thread = nil
  if task.place then heap.remove(task.group.sleepers, task) end
end

--- Starts another coroutine inside `waba.run`. `waba.run` returns when all coroutines have ended.
---@param fn fun(...)
---@param ... any  the arguments of `fn`
function native.spawn(fn, ...)
  local task = native.task()
  if not task then error("waba.spawn: expected a call inside waba.run", 2) end
  if type(fn) ~= "function" then error("waba.spawn: the argument must be a function, not a " .. type(fn), 2) end
  spawn(task.group, fn, ...)
end

-- Called after a coroutine was resumed. Stores the results of a coroutine that has ended, or raises its error with a
-- traceback. A parked coroutine certainly waits, so its status is not checked.
local function settle(scheduler, task, ok, ...)
  if not ok then
    local raised = ...
    if type(raised) == "string" then raised = debug.traceback(task.thread, raised) end
    error(raised, 0)
  end
  if task.parked then return end
  if status(task.thread) == "dead" then
    scheduler.live = scheduler.live - 1
    task.results, task.result_count = { ... }, select("#", ...)
    reap(task)
  else
    -- the program has called `coroutine.yield`: all other coroutines run before this coroutine is resumed
    scheduler.ready[#scheduler.ready + 1] = task
  end
end

-- Resumes the ready tasks. The next call resumes the tasks that become ready during this call.
local function run_ready(scheduler)
  local ready = scheduler.ready
  scheduler.ready, scheduler.spare = scheduler.spare, ready
  for i = 1, #ready do
    local task = ready[i]
    ready[i] = nil
    if status(task.thread) == "dead" then
      settle(scheduler, task, true) -- the program has closed the coroutine by `coroutine.close`
    else
      settle(scheduler, task, resume(task.thread))
    end
  end
end

-- Wakes the sleepers that are due, and the sleepers whose coroutine the program has closed. Returns the seconds until
-- another sleeper is due.
local function wake_due(scheduler)
  local sleepers = scheduler.sleepers
  if not sleepers[1] then return FOREVER end
  local now = clock()
  while sleepers[1] do
    local task = sleepers[1]
    if not native.is_alive(task) then
      heap.remove(sleepers, task)
      native.wake(task)
    elseif task.listed > now then
      return task.listed - now
    elseif task.due and task.due > now then
      heap.put(sleepers, task, task.due)
    else
      heap.remove(sleepers, task)
      if task.due then native.wake(task) end
    end
  end
  return FOREVER
end

-- Waits for the engines of all waiting tasks, for at most `seconds`, then wakes all of these tasks. Each task checks
-- its own engine.
local function wait(scheduler, seconds)
  local waiting, engines = scheduler.waiting, {}
  scheduler.waiting = {}
  for _, task in ipairs(waiting) do
    if task.engine then
      engines[#engines + 1] = task.engine
      seconds = math.min(seconds, task.patience)
    end
  end
  seconds = runtime.run_periodic(seconds)
  if #engines == 1 then
    engines[1]:wait(seconds)
  else
    curl.wait(engines, seconds)
  end
  for _, task in ipairs(waiting) do
    if task.engine then native.wake(task) end
  end
end

local function drive(scheduler)
  while scheduler.live > 0 do
    run_ready(scheduler)
    local left = wake_due(scheduler)
    if #scheduler.ready == 0 and scheduler.live > 0 then
      if not (scheduler.sleepers[1] or scheduler.waiting[1]) then
        error("waba.run: deadlock: every coroutine waits for another coroutine", 0)
      end
      wait(scheduler, left)
    elseif #scheduler.waiting > 0 then
      wait(scheduler, 0)
    end
  end
end

--- Runs functions concurrently, each in its own coroutine, until all coroutines have ended. While one coroutine waits
--- for a response, the others run. If a coroutine raises an error, `waba.run` raises the error too.
---@param fn fun(...): ...
---@param ... any  further functions, then the arguments of each function
---@return any ...  the results of the first function
function native.run(fn, ...)
  if type(fn) ~= "function" then error("waba.run: the argument must be a function, not a " .. type(fn), 2) end
  if native.task() then error("waba.run: already running: expected waba.spawn inside waba.run", 2) end
  local functions, rest, count = { fn }, { ... }, select("#", ...)
  while type(rest[#functions]) == "function" do functions[#functions + 1] = rest[#functions] end
  local scheduler = { live = 0, tasks = {}, ready = {}, spare = {}, waiting = {}, sleepers = {} }
  local first
  for _, each in ipairs(functions) do
    local task = spawn(scheduler, each, unpack(rest, #functions, count))
    first = first or task
  end
  local ok, raised = pcall(drive, scheduler)
  for task in pairs(scheduler.tasks) do reap(task) end -- tasks are left only after an error
  if not ok then error(raised, 0) end
  return unpack(first.results, 1, first.result_count)
end

return native
