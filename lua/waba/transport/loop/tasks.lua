-- The tasks of event loops that run plain coroutines: each coroutine has one task. A task does not keep its coroutine
-- from being collected.

local tasks = {}

local WEAK_VALUES = { __mode = "v" }

--- Makes a function that returns the task of a coroutine.
---@param new_task? fun(): table  makes a task with the fields that the event loop needs; default: all tasks have one
---        group, because the program has only one event loop of this kind
---@return fun(thread: thread): table
function tasks.keeper(new_task)
  local of_thread, group = setmetatable({}, { __mode = "k" }), {}
  return function(thread)
    local task = of_thread[thread]
    if not task then
      task = new_task and new_task() or { group = group }
      task.thread = setmetatable({ thread }, WEAK_VALUES)
      of_thread[thread] = task
    end
    return task
  end
end

--- Returns whether the coroutine of a task can still be resumed.
---@param task table
---@return boolean
function tasks.is_alive(task)
  local thread = task.thread[1]
  return thread ~= nil and coroutine.status(thread) ~= "dead"
end

return tasks
