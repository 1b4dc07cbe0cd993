-- Calls the progress function of an upload or a download.

--- Returns two functions that call `callback`: `report` after each step, `complete` at the end. Without `callback`,
--- `report` is nil and `complete` does nothing.
---@param callback? fun(done: integer, total: integer|nil)
---@return fun(done: integer, total: integer|nil)|nil report
---@return fun(total: integer) complete
return function(callback)
  if not callback then return nil, function() end end
  local last
  local function report(done, total)
    -- the transport also reports bytes of the other direction; `done` is then unchanged
    if done == last then return end
    last = done
    callback(done, total)
  end
  local function complete(total)
    if last ~= total then callback(total, total) end
  end
  return report, complete
end
