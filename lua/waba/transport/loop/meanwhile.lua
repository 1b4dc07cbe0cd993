-- Work that is due while the program waits outside any event loop, where no coroutine can do it: a handler waits for a
-- response, and its lease has to be renewed. Whoever waits there calls `meanwhile.tend` between two steps.

local meanwhile = {}

local tasks = {} -- functions; each does what is due, and returns the seconds until it wants to be called again
local is_tending = false

--- Calls `fn` while `task` is tended.
---@param task fun(): number
---@param fn fun(...)  does not raise
---@param ... any      its arguments
function meanwhile.during(task, fn, ...)
  tasks[#tasks + 1] = task
  fn(...)
  for position = #tasks, 1, -1 do
    if tasks[position] == task then table.remove(tasks, position) end
  end
end

--- Does what is due.
---@param seconds number  that the caller wants to wait
---@return number seconds  that the caller may wait before it calls again
function meanwhile.tend(seconds)
  if is_tending or not tasks[1] then return seconds end
  is_tending = true
  for _, task in ipairs(tasks) do seconds = math.min(seconds, task()) end
  is_tending = false
  return seconds
end

return meanwhile
