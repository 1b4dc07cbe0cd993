-- cqueues: inside a controller, waiting for the engine is polling an object with a descriptor.

local cqueues = require "cqueues"
local condition = require "cqueues.condition"

---@type waba.Loop
local loop = { name = "cqueues" }

-- Coroutine to task, so that one coroutine needs one condition variable however often it sends.
local tasks = setmetatable({}, { __mode = "k" })

--- Whether the running code lives inside a controller.
function loop.is_running()
  return cqueues.running() ~= nil
end

function loop.task()
  if not cqueues.running() then return nil end
  local thread = coroutine.running()
  local task = tasks[thread]
  if not task then
    task = { condition = condition.new(), thread = setmetatable({ thread }, { __mode = "v" }) }
    tasks[thread] = task
  end
  return task
end

function loop.is_alive(task)
  local thread = task.thread[1]
  return thread ~= nil and coroutine.status(thread) ~= "dead"
end

function loop.wait(engine, seconds)
  cqueues.poll(engine, seconds)
end

function loop.park(task, seconds)
  task.condition:wait(seconds)
end

function loop.wake(task)
  task.condition:signal()
end

function loop.sleep(seconds)
  cqueues.sleep(seconds)
end

return loop
