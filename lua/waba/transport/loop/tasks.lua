-- The tasks of loops that run plain coroutines: one for each coroutine. A task does not keep its coroutine from being
-- collected.

local tasks = {}

local WEAK_VALUES = { __mode = "v" }

--- Makes the function that returns the one task of a coroutine.
---@param new_task fun(): table  with the fields that the loop needs
---@return fun(thread: thread): table
function tasks.keeper(new_task)
  local of_thread = setmetatable({}, { __mode = "k" })
  return function(thread)
    local task = of_thread[thread]
    if not task then
      task = new_task()
      task.thread = setmetatable({ thread }, WEAK_VALUES)
      of_thread[thread] = task
    end
    return task
  end
end

--- Whether the task's coroutine can still be resumed.
---@param task table
---@return boolean
function tasks.is_alive(task)
  local thread = task.thread[1]
  return thread ~= nil and coroutine.status(thread) ~= "dead"
end

return tasks
