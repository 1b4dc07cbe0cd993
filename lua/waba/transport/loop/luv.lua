-- The adapter for luv: callbacks of libuv resume the coroutines. The main program can't be suspended, so the main
-- program runs the loop until its own transfer is finished.

local uv = require "luv"
local core = require "waba.core"
local coroutines = require "waba.coroutines"
local runtime = require "waba.runtime"
local tasks = require "waba.transport.loop.tasks"

local limits, running = runtime.limits, coroutines.running

---@type waba.Loop
local loop = { name = "luv", runs_callbacks = true }

local task_of = tasks.keeper()

function loop.task()
  local thread, is_main = running()
  if not thread or is_main then
    if uv.loop_mode() then error("a callback of luv can't wait: expected a coroutine", 0) end
    return nil
  end
  return task_of(thread)
end

loop.is_alive = tasks.is_alive

local function close(handle)
  if not handle:is_closing() then handle:close() end
end

-- Starts a timer, and a poll handle if there is a descriptor. The timer and the poll handle call `ring`.
-- Returns a function that closes the timer and the poll handle. For 0 seconds an idle handle replaces the timer. If the
-- callback of a timer starts a timer of 0 seconds, libuv before version 1.45 calls the second timer before reading any
-- socket.
local function watch(seconds, descriptor, ring)
  local delay, poll = seconds > 0 and uv.new_timer() or uv.new_idle(), descriptor and uv.new_poll(descriptor)
  if seconds > 0 then
    uv.update_time()
    delay:start(math.ceil(seconds * 1000), 0, ring)
  else
    delay:start(ring)
  end
  if poll then poll:start("r", ring) end
  return function()
    close(delay)
    if poll then close(poll) end
  end
end

-- Runs the loop until the descriptor is readable or the seconds are over. May return early.
local function run_until(seconds, descriptor)
  local finished = false
  local stop = watch(runtime.run_periodic(seconds), descriptor, function() finished = true end)
  repeat uv.run "once" until finished
  stop()
  uv.run "nowait" -- luv crashes if the program ends while a handle is being closed
end

-- Suspends the task until the descriptor is readable, until the seconds are over, or until `task.wake` is called.
local function suspend(task, seconds, descriptor)
  local thread, waiting = running(), true
  local stop
  local function ring()
    stop()
    if not waiting then return end
    waiting = false
    if coroutine.status(thread) ~= "suspended" then return end
    local ok, raised = coroutine.resume(thread)
    if not ok then error(debug.traceback(thread, tostring(raised)), 0) end
  end
  stop = watch(seconds, descriptor, ring)
  task.wake = function()
    task.wake = nil
    stop()
    -- the loop resumes the coroutine in its next iteration, and not inside the caller of `wake`
    stop = watch(0, nil, ring)
  end
  repeat coroutine.yield() until not waiting
  task.wake = nil
end

function loop.wait(task, engine, seconds)
  local descriptor, left = limits(engine, seconds)
  if not task then return run_until(left, descriptor) end
  suspend(task, left, descriptor)
end

loop.park = suspend

function loop.wake(task)
  if task.wake then task.wake() end
end

function loop.sleep(seconds)
  local task, due = loop.task(), core.clock() + seconds
  repeat
    local left = math.max(0, due - core.clock())
    if task then suspend(task, left) else run_until(left) end
  until core.clock() >= due
end

return loop
