-- Calls a user's progress function.

local progress = {}

--- Returns two functions that call a progress function. Without a progress function, `report` is nil and
--- `complete` does nothing.
---@param callback? fun(done: integer, total: integer|nil)
---@return fun(done: integer, total: integer|nil)|nil report  called for each step
---@return fun(total: integer) complete  called at the end
function progress.track(callback)
  if not callback then return nil, function() end end
  local last
  local function report(done, total)
    if done == last then return end -- the transport also reports bytes of the other direction, for which `done` does
                                    -- not change
    last = done
    callback(done, total)
  end
  local function complete(total)
    if last ~= total then callback(total, total) end
  end
  return report, complete
end

return progress
