-- Progress of a file on its way: what the transport tells, in the form the user's function takes it.

local progress = {}

--- Both ends of a user's progress function. Without one, `told` is nil and `complete` does nothing.
---@param tell? fun(done: integer, total: integer|nil)
---@return fun(done: integer, total: integer|nil)|nil told  for each step
---@return fun(total: integer) complete  for the end: says it unless the last step has
function progress.track(tell)
  if not tell then return nil, function() end end
  local last
  local function told(done, total)
    if done == last then return end -- something happened the other way
    last = done
    tell(done, total)
  end
  local function complete(total)
    if last ~= total then tell(total, total) end
  end
  return told, complete
end

return progress
