-- luv: coroutines that are resumed by libuv's callbacks. Code outside of any coroutine runs the loop
-- until its own transfer is done.

local uv = require "luv"

---@type waba.Loop
local loop = { name = "luv" }

-- Coroutine to task.
local tasks = setmetatable({}, { __mode = "k" })

-- The running coroutine, unless it is the main one.
local function current()
  local thread, is_main = coroutine.running()
  if thread and not is_main then return thread end
end

function loop.task()
  local thread = current()
  if not thread then return nil end
  local task = tasks[thread]
  if not task then
    task = { thread = setmetatable({ thread }, { __mode = "v" }) }
    tasks[thread] = task
  end
  return task
end

function loop.is_alive(task)
  local thread = task.thread[1]
  return thread ~= nil and coroutine.status(thread) ~= "dead"
end

local function close(handle)
  if not handle:is_closing() then handle:close() end
end

-- Suspends the caller until `arm`'s callback is called: a coroutine yields, the main program runs
-- the loop meanwhile. The handles that `arm` made are closed afterwards.
local function suspend(arm)
  local thread, woken = current(), false
  local handles = {}
  arm(handles, function()
    if woken then return end
    woken = true
    for _, handle in ipairs(handles) do close(handle) end
    if thread then
      local ok, fault = coroutine.resume(thread)
      if not ok then error(debug.traceback(thread, tostring(fault)), 0) end
    end
  end)
  if thread then
    coroutine.yield()
  else
    repeat uv.run "once" until woken
  end
end

local function add_timer(handles, seconds, wake)
  local timer = uv.new_timer()
  handles[#handles + 1] = timer
  timer:start(math.max(0, math.ceil(seconds * 1000)), 0, wake)
end

function loop.wait(engine, seconds)
  suspend(function(handles, wake)
    local poll = uv.new_poll(engine:pollfd())
    handles[1] = poll
    poll:start("r", wake)
    add_timer(handles, seconds, wake)
  end)
end

function loop.park(task, seconds)
  suspend(function(handles, wake)
    task.wake = wake
    add_timer(handles, seconds, wake)
  end)
  task.wake = nil
end

-- Never from within the waker's own turn: the loop resumes it in the next one.
function loop.wake(task)
  local wake = task.wake
  if not wake then return end
  task.wake = nil
  local timer = uv.new_timer()
  timer:start(0, 0, function()
    close(timer)
    wake()
  end)
end

function loop.sleep(seconds)
  suspend(function(handles, wake) add_timer(handles, seconds, wake) end)
end

return loop
