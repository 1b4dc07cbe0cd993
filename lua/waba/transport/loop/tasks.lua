-- The tasks of the adapters for cqueues, copas and luv: each coroutine has one task. A task has no strong reference to
-- its coroutine.

local tasks = {}

local WEAK_VALUES = { __mode = "v" }

--- Returns a function that returns the task of a coroutine.
---@param new_task? fun(): table  makes a task with the fields of the event loop; default: all tasks have the same
---        group, because a program has only one loop of copas or luv
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
function tasks.is_alive(task)
  local thread = task.thread[1]
  return thread ~= nil and coroutine.status(thread) ~= "dead"
end

return tasks
