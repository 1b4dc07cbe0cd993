-- Runs periodic tasks while the program waits outside any event loop, where no coroutine can run them. Example: a handler
-- waits for a response, and its lease must be renewed. Code that waits there calls `meanwhile.tend` between two steps.

local meanwhile = {}

local tasks = {} -- functions; each does what is due, and returns the seconds until it must be called again
local is_tending = false

--- Calls `fn`; while it waits, `task` is called.
---@param task fun(): number
---@param fn fun(...)  must not raise
---@param ... any      its arguments
function meanwhile.during(task, fn, ...)
  tasks[#tasks + 1] = task
  fn(...)
  for position = #tasks, 1, -1 do
    if tasks[position] == task then table.remove(tasks, position) end
  end
end

--- Calls the tasks.
---@param seconds number  how long the caller intends to wait
---@return number seconds  how long it may wait before it calls this again
function meanwhile.tend(seconds)
  if is_tending or not tasks[1] then return seconds end
  is_tending = true
  for _, task in ipairs(tasks) do seconds = math.min(seconds, task()) end
  is_tending = false
  return seconds
end

return meanwhile
