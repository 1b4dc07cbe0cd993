-- The adapter for cqueues. A coroutine of a controller polls the engine, which has the method `pollfd` that cqueues
-- calls.

local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local runtime = require "waba.runtime"
local tasks = require "waba.transport.loop.tasks"

local blocking = runtime.loop "blocking"

---@type waba.Loop
local loop = { name = "cqueues" }

local task_of = tasks.keeper(function() return { condition = condition.new() } end)

-- The groups of tasks by controller.
local groups = setmetatable({}, { __mode = "k" })

function loop.task()
  local controller = cqueues.running()
  if not controller then return nil end
  local task = task_of(coroutine.running())
  groups[controller] = groups[controller] or {}
  task.group = groups[controller]
  return task
end

loop.is_alive = tasks.is_alive

function loop.wait(task, engine, seconds)
  if not task then return blocking.wait(nil, engine, seconds) end
  local descriptor = engine:pollfd()
  if not descriptor then return cqueues.sleep(math.min(seconds, 0.01)) end
  task.descriptor = descriptor
  cqueues.poll(engine, seconds)
  task.descriptor = nil
end

function loop.park(task, seconds) task.condition:wait(seconds) end

function loop.wake(task)
  if task.descriptor then
    cqueues.cancel(task.descriptor)
  else
    task.condition:signal()
  end
end

function loop.sleep(seconds)
  if not cqueues.running() then return blocking.sleep(seconds) end
  cqueues.sleep(seconds)
end

-- cqueues must be notified before a watched descriptor is closed.
function loop.forget(engine)
  local descriptor = engine:pollfd()
  if descriptor then cqueues.cancel(descriptor) end
end

return loop
